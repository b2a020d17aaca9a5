/** One dense layer: `activation(x · kernel + bias)`, x `[inputs]`, kernel `[inputs, units]` row by row. */
export interface DenseLayer {
  inputs: number;
  units: number;
  kernel: Float32Array;
  bias: Float32Array;
  activation: 'relu' | 'softmax';
}

/**
 * What belongs to one model: features `[D]` in, probabilities `[K]` out. Standardisation and temperature are folded into
 * the layers, so that every engine computes the same thing from the same numbers.
 */
export interface Head {
  layers: DenseLayer[];
}
