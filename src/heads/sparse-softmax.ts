import type { SparseFeatures } from '../numbers/features.js';
import type { DenseLayer } from './head.js';
import { shared, solveInThread } from './fit-threads.js';
import type { ObjectiveFit, ObjectiveOptions, SoftmaxObjective } from './softmax-objective.js';
import { type ProblemOptions, solve } from './sparse-problem.js';
import { Products } from './sparse-products.js';

/**
 * Softmax regression on sparse features. A point is `parts` `[N, lanes]` of all rows, then the bias: the lanes are the classes
 * and zeros up to a multiple of 4. Of two classes one lane is enough: in the least loss the weights of one are those of the
 * other with another sign, so half their difference stands for both.
 */
export class SparseSoftmax implements SoftmaxObjective {
  readonly #features: SparseFeatures;
  readonly #y: Int32Array;
  readonly #classes: number;
  readonly #lanes: number;
  /** Classes that have numbers of their own: 1 of two. */
  readonly #free: number;
  /** Columns that occur, ascending, and the features in their places. */
  readonly #used: Int32Array;
  readonly #problem: ProblemOptions;
  #products: Products | undefined;

  constructor(features: SparseFeatures, y: Int32Array, classes: number) {
    this.#features = features;
    this.#y = y;
    this.#classes = classes;
    this.#free = classes === 2 ? 1 : classes;
    this.#lanes = classes === 2 ? 1 : Math.ceil(classes / 4) * 4;
    const { columns, offsets, indices, values } = features;
    const place = new Int32Array(columns).fill(-1);
    for (let at = 0; at < indices.length; at += 1) place[indices[at]!] = 0;
    this.#used = Int32Array.from(place.keys()).filter((column) => place[column] === 0);
    this.#used.forEach((column, index) => {
      place[column] = index;
    });
    const matrix = { offsets, indices: indices.map((column) => place[column]!), values };
    const { lanes, free, used } = { lanes: this.#lanes, free: this.#free, used: this.#used };
    this.#problem = shared({ matrix, columns: used.length, y, lanes, free, classes });
  }

  async fit({ onIteration, ...options }: ObjectiveOptions): Promise<ObjectiveFit> {
    const solved = onIteration
      ? await solve(this.#problem, options, (iteration, loss, point) =>
          onIteration(iteration, loss, () => this.#logits(point())),
        )
      : await solveInThread(this.#problem, options);
    return { ...solved, logits: this.#logits(solved.point) };
  }

  layer(point: Float32Array): DenseLayer {
    const [K, D, lanes] = [this.#classes, this.#features.columns, this.#lanes];
    const kernel = new Float32Array(D * K);
    const weights = this.#whole().weightsOf(point.subarray(0, this.#y.length * lanes));
    this.#used.forEach((column, index) => {
      this.#spread(weights, index * lanes, kernel.subarray(column * K, (column + 1) * K));
    });
    const bias = this.#spread(point, this.#y.length * lanes, new Float32Array(K));
    return { inputs: D, units: K, kernel, bias, activation: 'softmax' };
  }

  /** Of all rows, `[N, K]`. */
  #logits(point: Float32Array): Float32Array {
    const [K, lanes, rows] = [this.#classes, this.#lanes, this.#y.length];
    const scores = this.#whole().scoresOf(point.subarray(0, rows * lanes));
    const bias = this.#spread(point, rows * lanes, new Float32Array(K));
    const logits = new Float32Array(rows * K);
    for (let row = 0; row < rows; row += 1) {
      const own = this.#spread(scores, row * lanes, logits.subarray(row * K, (row + 1) * K));
      for (let k = 0; k < K; k += 1) own[k]! += bias[k]!;
    }
    return logits;
  }

  /** Products with all rows. */
  #whole(): Products {
    this.#products ??= new Products(this.#problem.matrix, this.#used.length, this.#lanes);
    return this.#products;
  }

  /** Numbers of all classes, from those of the lanes. */
  #spread(lanes: Float32Array, from: number, out: Float32Array): Float32Array {
    if (this.#free === 1) out.set([-lanes[from]!, lanes[from]!]);
    else out.set(lanes.subarray(from, from + out.length));
    return out;
  }
}
