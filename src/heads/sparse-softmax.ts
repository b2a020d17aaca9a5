import type { SparseFeatures } from '../numbers/features.js';
import type { DenseLayer } from './head.js';
import { shared, solveInThread } from './fit-threads.js';
import type { ObjectiveFit, ObjectiveOptions, SoftmaxObjective } from './softmax-objective.js';
import { lanesOf, type ProblemOptions, solve } from './sparse-problem.js';
import { Products } from './sparse-products.js';

/**
 * Softmax regression on sparse features. A point is `parts` `[N, lanes]` of all rows, then the bias: the lanes are the classes
 * and zeros up to a multiple of 4 (`lanesOf`).
 */
export class SparseSoftmax implements SoftmaxObjective {
  /** Columns of all features, and those of them that occur, ascending. */
  readonly #columns: number;
  readonly #used: Int32Array;
  /** The features in the places of the columns that occur. */
  readonly #problem: ProblemOptions;
  readonly #lanes: number;
  readonly #free: number;
  #products: Products | undefined;

  constructor(features: SparseFeatures, y: Int32Array, classes: number) {
    const { columns, indices } = features;
    const { lanes, free } = lanesOf(classes);
    [this.#columns, this.#lanes, this.#free] = [columns, lanes, free];
    const place = new Int32Array(columns).fill(-1);
    for (let at = 0; at < indices.length; at += 1) place[indices[at]!] = 0;
    this.#used = Int32Array.from(place.keys()).filter((column) => place[column] === 0);
    this.#used.forEach((column, index) => {
      place[column] = index;
    });
    const compact = { ...features, columns: this.#used.length, indices: indices.map((column) => place[column]!) };
    this.#problem = shared({ features: compact, y, classes });
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
    const [K, D, lanes] = [this.#problem.classes, this.#columns, this.#lanes];
    const rows = this.#problem.y.length;
    const kernel = new Float32Array(D * K);
    const weights = this.#whole().weightsOf(point.subarray(0, rows * lanes));
    this.#used.forEach((column, index) => {
      this.#spread(weights, index * lanes, kernel.subarray(column * K, (column + 1) * K));
    });
    const bias = this.#spread(point, rows * lanes, new Float32Array(K));
    return { inputs: D, units: K, kernel, bias, activation: 'softmax' };
  }

  /** Of all rows, `[N, K]`. */
  #logits(point: Float32Array): Float32Array {
    const [K, lanes, rows] = [this.#problem.classes, this.#lanes, this.#problem.y.length];
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
    this.#products ??= new Products(this.#problem.features, this.#lanes);
    return this.#products;
  }

  /** Numbers of all classes, from those of the lanes. */
  #spread(lanes: Float32Array, from: number, out: Float32Array): Float32Array {
    if (this.#free === 1) out.set([-lanes[from]!, lanes[from]!]);
    else out.set(lanes.subarray(from, from + out.length));
    return out;
  }
}
