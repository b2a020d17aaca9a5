import { dot } from '../numbers/dense.js';
import type { SparseFeatures } from '../numbers/features.js';
import type { DenseLayer } from './head.js';
import { minimise } from './lbfgs.js';
import type { ObjectiveFit, ObjectiveOptions, SoftmaxObjective } from './softmax-objective.js';
import { ProductMemory, type SparseInMemory } from './sparse-product.js';
import { addThenDotArrays, combineArrays, scaleArray, type Vectors } from './vectors.js';

/** Scores are sums of sums: after so many steps they are computed anew, or their rounding errors would add up. */
const STEPS_TO_TRUST = 10;
/** Steps that the optimiser remembers: going over more takes longer than the iterations that they save. */
const HISTORY = 5;
/** A fall of the loss that single precision does not tell from none. */
const LEAST_TOLERANCE = 1e-8;

type Matrix = Pick<SparseFeatures, 'offsets' | 'indices' | 'values'>;

/**
 * A vector of weights by what it is made of: all weights that a fit comes across are sums of rows, `Xᵀ · parts`. There are fewer
 * rows than columns, and what a row scores lies ready, so that no step along a line costs a product.
 */
interface Weights {
  /** `[rows, lanes]` */
  parts: Float32Array;
  /** `[rows, lanes]`: X · Xᵀ · parts */
  scores: Float32Array;
  /** `[free]` */
  bias: Float32Array;
}

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
  readonly #compact: Matrix;
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
    this.#compact = { offsets, indices: indices.map((column) => place[column]!), values };
  }

  async fit(options: ObjectiveOptions): Promise<ObjectiveFit> {
    const { start, onIteration, maxIterations } = options;
    const tolerance = Math.max(options.tolerance, LEAST_TOLERANCE);
    const problem = new Problem(options, {
      matrix: this.#compact,
      columns: this.#used.length,
      y: this.#y,
      lanes: this.#lanes,
      free: this.#free,
      classes: this.#classes,
    });
    const logitsOf = (weights: Weights) => this.#logits(problem.point(weights));
    const { point, at, iterations } = await minimise<
      Weights,
      { loss: number; errors: Float32Array; byBias: Float64Array }
    >({
      vectors: problem.vectors,
      evaluate: async (weights) => problem.evaluate(weights),
      gradient: (weights, evaluated) => problem.gradient(weights, evaluated),
      start: problem.startAt(start),
      maxIterations,
      tolerance,
      history: HISTORY,
      onIteration:
        onIteration && ((iteration, { loss }, weights) => onIteration(iteration, loss, () => logitsOf(weights))),
    });
    const whole = problem.point(point);
    return { point: whole, iterations, loss: at.loss, logits: this.#logits(whole) };
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
    this.#products ??= new Products(this.#compact, this.#used.length, this.#lanes);
    return this.#products;
  }

  /** Numbers of all classes, from those of the lanes. */
  #spread(lanes: Float32Array, from: number, out: Float32Array): Float32Array {
    if (this.#free === 1) out.set([-lanes[from]!, lanes[from]!]);
    else out.set(lanes.subarray(from, from + out.length));
    return out;
  }
}

interface ProblemOptions {
  /** All rows. */
  matrix: Matrix;
  columns: number;
  y: Int32Array;
  lanes: number;
  free: number;
  classes: number;
}

/** One fit: the rows that count in it, and what is computed of them. */
class Problem {
  readonly vectors: Vectors<Weights>;
  readonly #of: ProblemOptions;
  /** Which rows count, and by how much. */
  readonly #rows: Int32Array;
  readonly #shares: Float32Array;
  /** λ; of two classes twice, for one number stands for two weights. */
  readonly #penalty: number;
  readonly #products: Products;
  #steps = 0;

  constructor({ shares, weightDecay }: Pick<ObjectiveOptions, 'shares' | 'weightDecay'>, of: ProblemOptions) {
    const { matrix, columns, lanes, free } = of;
    this.#of = of;
    this.#rows = Int32Array.from(shares.keys()).filter((row) => shares[row]! > 0);
    this.#shares = Float32Array.from(this.#rows, (row) => shares[row]!);
    this.#penalty = free === 1 ? 2 * weightDecay : weightDecay;
    this.#products = new Products(rowsOf(matrix, this.#rows), columns, lanes);
    this.vectors = weightVectors(this.#rows.length * lanes, free);
  }

  startAt(point: Float32Array | undefined): Weights {
    const { y, lanes, free } = this.#of;
    const weights = this.vectors.take();
    weights.parts.fill(0);
    weights.bias.fill(0);
    if (!point) {
      weights.scores.fill(0);
      return weights;
    }
    this.#rows.forEach((row, i) => {
      weights.parts.set(point.subarray(row * lanes, (row + 1) * lanes), i * lanes);
    });
    weights.bias.set(point.subarray(y.length * lanes, y.length * lanes + free));
    weights.scores.set(this.#products.scoresOf(weights.parts));
    return weights;
  }

  /** A point over all rows. */
  point({ parts, bias }: Weights): Float32Array {
    const { y, lanes, free } = this.#of;
    const out = new Float32Array(y.length * lanes + free);
    this.#rows.forEach((row, i) => {
      out.set(parts.subarray(i * lanes, (i + 1) * lanes), row * lanes);
    });
    out.set(bias, y.length * lanes);
    return out;
  }

  /** The loss, and how it changes with each row's scores. */
  evaluate({ parts, scores, bias }: Weights): { loss: number; errors: Float32Array; byBias: Float64Array } {
    const { y, lanes, free, classes: K } = this.#of;
    const errors = new Float32Array(scores.length);
    const byBias = new Float64Array(free);
    const row = new Float64Array(K);
    let loss = 0.5 * this.#penalty * dot(parts, scores);
    for (const [i, share] of this.#shares.entries()) {
      if (free === 1) {
        row[1] = scores[i]! + bias[0]!;
        row[0] = -row[1];
      } else for (let k = 0; k < K; k += 1) row[k] = scores[i * lanes + k]! + bias[k]!;
      loss += share * errorOf(row, y[this.#rows[i]!]!, share);
      if (free === 1) row[0] = row[1]! - row[0]!;
      for (let k = 0; k < free; k += 1) {
        errors[i * lanes + k] = row[k]!;
        byBias[k]! += row[k]!;
      }
    }
    return { loss, errors, byBias };
  }

  /** Where a step has ended. */
  gradient({ parts, scores }: Weights, { errors, byBias }: { errors: Float32Array; byBias: Float64Array }): Weights {
    this.#steps += 1;
    if (this.#steps % STEPS_TO_TRUST === 0) scores.set(this.#products.scoresOf(parts));
    const gradient = this.vectors.take();
    combineArrays(gradient.scores, this.#products.scoresOf(errors), this.#penalty, scores);
    combineArrays(gradient.parts, errors, this.#penalty, parts);
    gradient.bias.set(byBias);
    return gradient;
  }
}

/** Rows and their transpose in one memory. */
class Products {
  readonly #memory: ProductMemory;
  readonly #features: SparseInMemory;
  readonly #transposed: SparseInMemory;
  readonly #lanes: number;
  /** Places of numbers `[columns, lanes]` and `[rows, lanes]`, and how many these are. */
  readonly #weights: { place: number; length: number };
  readonly #rows: { place: number; length: number };

  constructor(matrix: Matrix, columns: number, lanes: number) {
    const turned = transpose(matrix, columns);
    const [ofRows, ofColumns] = [(matrix.offsets.length - 1) * lanes, columns * lanes];
    this.#lanes = lanes;
    this.#memory = new ProductMemory(bytesOf(matrix) + bytesOf(turned) + 4 * (ofRows + ofColumns));
    this.#features = this.#memory.hold(matrix);
    this.#transposed = this.#memory.hold(turned);
    this.#weights = { place: this.#memory.room(ofColumns), length: ofColumns };
    this.#rows = { place: this.#memory.room(ofRows), length: ofRows };
  }

  /** Xᵀ · parts `[columns, lanes]`; valid until the next call. */
  weightsOf(parts: Float32Array): Float32Array {
    this.#memory.floats(this.#rows.place, this.#rows.length).set(parts);
    this.#memory.multiply(this.#transposed, this.#rows.place, this.#weights.place, this.#lanes);
    return this.#memory.floats(this.#weights.place, this.#weights.length);
  }

  /** X · Xᵀ · parts `[rows, lanes]`; valid until the next call. */
  scoresOf(parts: Float32Array): Float32Array {
    this.weightsOf(parts);
    this.#memory.multiply(this.#features, this.#weights.place, this.#rows.place, this.#lanes);
    return this.#memory.floats(this.#rows.place, this.#rows.length);
  }
}

function weightVectors(length: number, free: number): Vectors<Weights> {
  const rooms: Weights[] = [];
  const take = () =>
    rooms.pop() ?? {
      parts: new Float32Array(length),
      scores: new Float32Array(length),
      bias: new Float32Array(free),
    };
  const each = (apply: (name: keyof Weights) => void) => {
    apply('parts');
    apply('scores');
    apply('bias');
  };
  return {
    take,
    give: (room) => void rooms.push(room),
    dot: (u, v) => dot(u.parts, v.scores) + dot(u.bias, v.bias),
    combine: (out, u, factor, v) => each((name) => combineArrays(out[name], u[name], factor, v[name])),
    scale: (out, factor, v) => each((name) => scaleArray(out[name], factor, v[name])),
    addThenDot: (q, factor, v, w) => {
      for (let i = 0; i < q.parts.length; i += 1) q.parts[i]! += factor * v.parts[i]!;
      return addThenDotArrays(q.scores, factor, v.scores, w.parts) + addThenDotArrays(q.bias, factor, v.bias, w.bias);
    },
  };
}

function rowsOf({ offsets, indices, values }: Matrix, rows: Int32Array): Matrix {
  const starts = new Int32Array(rows.length + 1);
  rows.forEach((row, i) => {
    starts[i + 1] = starts[i]! + offsets[row + 1]! - offsets[row]!;
  });
  const out = { offsets: starts, indices: new Int32Array(starts.at(-1)!), values: new Float32Array(starts.at(-1)!) };
  rows.forEach((row, i) => {
    out.indices.set(indices.subarray(offsets[row], offsets[row + 1]), starts[i]);
    out.values.set(values.subarray(offsets[row], offsets[row + 1]), starts[i]);
  });
  return out;
}

/** Bytes of a matrix in a `ProductMemory`, with what is lost where an array ends. */
function bytesOf({ offsets, values }: Matrix): number {
  return 4 * (offsets.length + 2 * values.length) + 256;
}

/** Column by column: the rows that have a value there, ascending, and the values. */
function transpose({ offsets, indices, values }: Matrix, columns: number): Matrix {
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
