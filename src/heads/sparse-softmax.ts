import type { SparseFeatures } from '../numbers/features.js';
import type { DenseLayer } from './head.js';
import type { SoftmaxEvaluated, SoftmaxObjective } from './softmax-objective.js';
import { ProductMemory, type SparseInMemory } from './sparse-product.js';

/**
 * Softmax regression on sparse features: the scores are the features times the weights, the gradient the transposed features
 * times the errors. Columns that never occur keep weight 0 and are left out. A point is weights `[columns that occur, lanes]`,
 * the lanes being the classes and zeros up to a multiple of 4, then the bias `[K]`.
 */
export class SparseSoftmax implements SoftmaxObjective {
  readonly size: number;
  readonly #columns: number;
  /** Columns that occur, ascending. */
  readonly #used: Int32Array;
  readonly #y: Int32Array;
  readonly #classes: number;
  readonly #lanes: number;
  readonly #memory: ProductMemory;
  /** The features and their transpose, of the columns that occur. */
  readonly #features: SparseInMemory;
  readonly #transposed: SparseInMemory;
  /** Places of weights and gradient `[columns that occur, lanes]`, and of scores, then errors, `[N, lanes]`. */
  readonly #places: { weights: number; gradient: number; scores: number };

  constructor({ rows, columns, offsets, indices, values }: SparseFeatures, y: Int32Array, classes: number) {
    this.#columns = columns;
    this.#y = y;
    this.#classes = classes;
    const lanes = Math.ceil(classes / 4) * 4;
    this.#lanes = lanes;
    const place = new Int32Array(columns).fill(-1);
    for (let at = 0; at < indices.length; at += 1) place[indices[at]!] = 0;
    this.#used = Int32Array.from(place.keys()).filter((column) => place[column] === 0);
    this.#used.forEach((column, index) => {
      place[column] = index;
    });
    const used = this.#used.length;
    this.size = used * lanes + classes;
    const ofMatrices = 2 * (2 * values.length + rows + used + 2);
    this.#memory = new ProductMemory(4 * (ofMatrices + 2 * used * lanes + rows * lanes) + 16 * 16);
    const features = { offsets, indices: indices.map((column) => place[column]!), values };
    this.#features = this.#memory.hold(features);
    this.#transposed = this.#memory.hold(transpose(features, used));
    const [weights, gradient] = [used * lanes, used * lanes].map((length) => this.#memory.room(length));
    this.#places = { weights: weights!, gradient: gradient!, scores: this.#memory.room(rows * lanes) };
  }

  of(
    shares: Float32Array,
    weightDecay: number,
  ): (point: Float32Array, room: Float32Array) => Promise<SoftmaxEvaluated> {
    return async (point, room) => this.#evaluate(point, { shares, weightDecay, gradient: room });
  }

  layer(point: Float32Array): DenseLayer {
    const [K, D, lanes] = [this.#classes, this.#columns, this.#lanes];
    const kernel = new Float32Array(D * K);
    this.#used.forEach((column, index) => {
      kernel.set(point.subarray(index * lanes, index * lanes + K), column * K);
    });
    return { inputs: D, units: K, kernel, bias: point.slice(this.#used.length * lanes), activation: 'softmax' };
  }

  #evaluate(
    point: Float32Array,
    { shares, weightDecay, gradient }: { shares: Float32Array; weightDecay: number; gradient: Float32Array },
  ): SoftmaxEvaluated {
    const [K, lanes, y, memory] = [this.#classes, this.#lanes, this.#y, this.#memory];
    const { weights, gradient: sums, scores: place } = this.#places;
    const ofWeights = this.#used.length * lanes;
    memory.floats(weights, ofWeights).set(point.subarray(0, ofWeights));
    memory.multiply(this.#features, weights, place, lanes);
    const scores = memory.floats(place, y.length * lanes);
    const logits = new Float32Array(y.length * K);
    const byBias = new Float64Array(K);
    const row = new Float64Array(K);
    let loss = 0;
    for (let i = 0; i < y.length; i += 1) {
      const share = shares[i]!;
      for (let k = 0; k < K; k += 1) {
        row[k] = scores[i * lanes + k]! + point[ofWeights + k]!;
        logits[i * K + k] = row[k]!;
      }
      if (share === 0) row.fill(0);
      else loss += share * errorOf(row, y[i]!, share);
      for (let k = 0; k < K; k += 1) {
        scores[i * lanes + k] = row[k]!;
        byBias[k]! += row[k]!;
      }
    }
    memory.multiply(this.#transposed, place, sums, lanes);
    const byWeights = memory.floats(sums, ofWeights);
    let square = 0;
    for (let i = 0; i < ofWeights; i += 1) {
      const weight = point[i]!;
      square += weight * weight;
      gradient[i] = byWeights[i]! + weightDecay * weight;
    }
    gradient.set(byBias, ofWeights);
    return { loss: loss + 0.5 * weightDecay * square, gradient, logits };
  }
}

/** Column by column: the rows that have a value there, ascending, and the values. */
function transpose(
  { offsets, indices, values }: Pick<SparseFeatures, 'offsets' | 'indices' | 'values'>,
  columns: number,
): Pick<SparseFeatures, 'offsets' | 'indices' | 'values'> {
  const starts = new Int32Array(columns + 1);
  for (let at = 0; at < indices.length; at += 1) starts[indices[at]! + 1]! += 1;
  for (let column = 0; column < columns; column += 1) starts[column + 1]! += starts[column]!;
  const next = starts.slice();
  const out = { offsets: starts, indices: new Int32Array(values.length), values: new Float32Array(values.length) };
  for (let row = 0; row + 1 < offsets.length; row += 1) {
    for (let at = offsets[row]!; at < offsets[row + 1]!; at += 1) {
      const to = next[indices[at]!]!;
      next[indices[at]!] = to + 1;
      out.indices[to] = row;
      out.values[to] = values[at]!;
    }
  }
  return out;
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
