import type { Tensor2D } from '@tensorflow/tfjs-core';
import { type Features, onlyDense } from '../numbers/features.js';
import type { Engine } from './engine.js';
import type { DenseLayer } from './head.js';

const CHUNK_ROWS = 4096;

/**
 * Scores before the softmax, of many examples at once, on the engine.
 * @param options rows: which of the features
 * @returns float32 `[rows, K]`
 */
export function headLogits(options: {
  engine: Engine;
  layers: DenseLayer[];
  features: Features;
  rows: ArrayLike<number>;
}): Float32Array {
  const { engine, layers, rows } = options;
  const { values: x } = onlyDense(options.features);
  const { tf } = engine;
  const [dimensions, classes] = [layers[0]!.inputs, layers.at(-1)!.units];
  const out = new Float32Array(rows.length * classes);
  const weights = layers.map(({ inputs, units, kernel, bias }) => ({
    kernel: tf.tensor2d(kernel, [inputs, units]),
    bias: tf.tensor1d(bias),
  }));
  try {
    for (let start = 0; start < rows.length; start += CHUNK_ROWS) {
      const count = Math.min(CHUNK_ROWS, rows.length - start);
      const part = new Float32Array(count * dimensions);
      for (let i = 0; i < count; i += 1) {
        const row = rows[start + i]!;
        part.set(x.subarray(row * dimensions, (row + 1) * dimensions), i * dimensions);
      }
      const logits = tf.tidy(() => {
        let values = tf.tensor2d(part, [count, dimensions]);
        for (const [index, { kernel, bias }] of weights.entries()) {
          values = tf.add(tf.matMul(values, kernel), bias) as Tensor2D;
          if (layers[index]!.activation === 'relu') values = tf.relu(values);
        }
        return values.dataSync() as Float32Array;
      });
      out.set(logits, start * classes);
    }
    return out;
  } finally {
    for (const pair of weights) tf.dispose([pair.kernel, pair.bias]);
  }
}
