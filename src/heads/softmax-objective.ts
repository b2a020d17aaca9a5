import type { DenseLayer } from './head.js';
import type { Evaluated } from './lbfgs.js';

export interface SoftmaxEvaluated extends Evaluated {
  /** Of all rows, `[N, K]`. */
  logits: Float32Array;
}

/** What softmax regression minimises, on one set of labelled rows. A point is weights and biases, in an order of its own. */
export interface SoftmaxObjective {
  /** Numbers of a point. */
  readonly size: number;
  /**
   * The function for some rows and a penalty.
   * @param shares `[N]`: weights of the rows, adding up to 1
   * @param weightDecay λ
   * @returns takes room for the gradient, see `minimise`
   */
  of(shares: Float32Array, weightDecay: number): (point: Float32Array, room: Float32Array) => Promise<SoftmaxEvaluated>;
  /** A point as a layer. */
  layer(point: Float32Array): DenseLayer;
}
