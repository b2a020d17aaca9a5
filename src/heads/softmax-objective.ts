import type { DenseLayer } from './head.js';

export interface ObjectiveOptions {
  /** `[N]`: weights of the rows, adding up to 1; 0 leaves a row out. */
  shares: Float32Array;
  /** λ */
  weightDecay: number;
  /** Where an earlier fit on the same rows ended; absent: zeros. */
  start: Float32Array | undefined;
  maxIterations: number;
  /** Stop when the loss falls by less than this share in one iteration. */
  tolerance: number;
  /** Called after each iteration. Return false to stop. */
  onIteration: ((iteration: number, loss: number, logits: () => Float32Array) => boolean | undefined) | undefined;
}

export interface ObjectiveFit {
  point: Float32Array;
  iterations: number;
  loss: number;
  /** Of all rows, `[N, K]`. */
  logits: Float32Array;
}

/** What softmax regression minimises, on one set of labelled rows. A point says weights and biases in a form of its own. */
export interface SoftmaxObjective {
  fit(options: ObjectiveOptions): Promise<ObjectiveFit>;
  /** A point as a layer. */
  layer(point: Float32Array): DenseLayer;
}
