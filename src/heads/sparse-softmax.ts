import type { SparseFeatures } from '../numbers/features.js';
import type { DenseLayer } from './head.js';
import type { SoftmaxEvaluated, SoftmaxObjective } from './softmax-objective.js';

/**
 * Softmax regression on sparse features: two passes over the values that are there, one for the scores of a row and one for
 * its part of the gradient. Columns that never occur keep weight 0 and are left out. A point is weights `[columns that occur,
 * K]`, so that a value meets the weights of all classes side by side, then the bias `[K]`.
 */
export class SparseSoftmax implements SoftmaxObjective {
  readonly size: number;
  readonly #features: SparseFeatures;
  /** Columns that occur, ascending. */
  readonly #used: Int32Array;
  /** For each value the place of its column in `#used`. */
  readonly #places: Int32Array;
  readonly #y: Int32Array;
  readonly #classes: number;

  constructor(features: SparseFeatures, y: Int32Array, classes: number) {
    const { columns, indices } = features;
    this.#features = features;
    this.#y = y;
    this.#classes = classes;
    const place = new Int32Array(columns).fill(-1);
    for (let at = 0; at < indices.length; at += 1) place[indices[at]!] = 0;
    this.#used = Int32Array.from(place.keys()).filter((column) => place[column] === 0);
    this.#used.forEach((column, index) => {
      place[column] = index;
    });
    this.#places = indices.map((column) => place[column]!);
    this.size = (this.#used.length + 1) * classes;
  }

  of(shares: Float32Array, weightDecay: number): (point: Float32Array) => Promise<SoftmaxEvaluated> {
    const sums = new Float64Array(this.size); // in double precision: a column may occur in all rows
    return async (point) => this.#evaluate(point, shares, weightDecay, sums);
  }

  layer(point: Float32Array): DenseLayer {
    const [K, D] = [this.#classes, this.#features.columns];
    const kernel = new Float32Array(D * K);
    this.#used.forEach((column, index) => {
      kernel.set(point.subarray(index * K, (index + 1) * K), column * K);
    });
    return { inputs: D, units: K, kernel, bias: point.slice(this.#used.length * K), activation: 'softmax' };
  }

  #evaluate(point: Float32Array, shares: Float32Array, weightDecay: number, sums: Float64Array): SoftmaxEvaluated {
    const { offsets, values } = this.#features;
    const [K, places, y] = [this.#classes, this.#places, this.#y];
    const biases = this.#used.length * K;
    const logits = new Float32Array(y.length * K);
    const row = new Float64Array(K);
    sums.fill(0);
    let loss = 0;
    for (let i = 0; i < y.length; i += 1) {
      const [from, to] = [offsets[i]!, offsets[i + 1]!];
      for (let k = 0; k < K; k += 1) row[k] = point[biases + k]!;
      for (let at = from; at < to; at += 1) {
        const value = values[at]!;
        const start = places[at]! * K;
        for (let k = 0; k < K; k += 1) row[k]! += value * point[start + k]!;
      }
      logits.set(row, i * K);
      const share = shares[i]!;
      if (share === 0) continue;
      loss += share * errorOf(row, y[i]!, share);
      for (let k = 0; k < K; k += 1) sums[biases + k]! += row[k]!;
      for (let at = from; at < to; at += 1) {
        const value = values[at]!;
        const start = places[at]! * K;
        for (let k = 0; k < K; k += 1) sums[start + k]! += value * row[k]!;
      }
    }
    let square = 0;
    for (let i = 0; i < biases; i += 1) {
      square += point[i]! * point[i]!;
      sums[i]! += weightDecay * point[i]!;
    }
    return { loss: loss + 0.5 * weightDecay * square, gradient: Float32Array.from(sums), logits };
  }
}

/** Logits become `share · (p − truth)`, in place. @returns −log p of the true class */
function errorOf(row: Float64Array, truth: number, share: number): number {
  let top = Number.NEGATIVE_INFINITY;
  for (let k = 0; k < row.length; k += 1) top = Math.max(top, row[k]!);
  let sum = 0;
  for (let k = 0; k < row.length; k += 1) sum += Math.exp(row[k]! - top);
  const normaliser = top + Math.log(sum);
  const surprise = normaliser - row[truth]!;
  for (let k = 0; k < row.length; k += 1) row[k] = share * Math.exp(row[k]! - normaliser);
  row[truth]! -= share;
  return surprise;
}
