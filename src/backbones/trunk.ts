import type { BackboneCut } from '../schemas/backbones.js';
import type { Backbone } from './contract.js';

/** Constants of a graph, by name, as a model has them. */
export type OwnWeights = Map<string, { dims: number[]; values: Float32Array }>;

/** Where a backbone is cut, and which constants behind the cut a model may have of its own. */
export interface Cutting {
  cut: BackboneCut;
  /** Dimensions of these constants, by name. */
  weights: Map<string, number[]>;
}

/**
 * A backbone cut in two. As a `Backbone` it answers what reaches the cut, dense `[count, T]`, the same for all models with
 * this cut; its card is the backbone's but for `features` and for `sha256`, which names backbone and cut. What is done with
 * it lies in top/.
 */
export interface Trunk<P = unknown> extends Backbone<P> {
  /**
   * Features through a model's own top.
   * @param top weights: sent once for each key
   * @param rows float32 `[count, T]`
   * @returns float32 `[count, D]`
   */
  runTop(top: { key: string; weights: OwnWeights }, rows: Float32Array, count: number): Promise<Float32Array>;
  /** Let go of a top's weights. */
  forget(key: string): void;
}
