/** One fit on sparse features: which weights have the least loss on the rows that count. */
import { dot } from '../numbers/dense.js';
import { onlySparse, type SparseFeatures, takeRows } from '../numbers/features.js';
import { minimise } from './lbfgs.js';
import type { ObjectiveOptions } from './softmax-objective.js';
import { Products } from './sparse-products.js';
import { addThenDotArrays, combineArrays, scaleArray, type Vectors } from './vectors.js';

/** Scores are sums of sums: after so many steps they are computed anew, or their rounding errors would add up. */
const STEPS_TO_TRUST = 10;
/** Steps that the optimiser remembers: going over more takes longer than the iterations that they save. */
const HISTORY = 5;
/** A fall of the loss that single precision does not tell from none. */
const LEAST_TOLERANCE = 1e-8;

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

interface Evaluated {
  loss: number;
  errors: Float32Array;
  byBias: Float64Array;
}

export interface ProblemOptions {
  /** All rows. */
  features: SparseFeatures;
  y: Int32Array;
  classes: number;
}

/**
 * How the numbers of the classes lie: `free` of them have numbers of their own, in so many lanes. Of two classes one is enough:
 * in the least loss the weights of one are those of the other with another sign, so half their difference stands for both.
 */
export function lanesOf(classes: number): { lanes: number; free: number } {
  return classes === 2 ? { lanes: 1, free: 1 } : { lanes: Math.ceil(classes / 4) * 4, free: classes };
}

/** What a fit ends with; a point is `parts` `[N, lanes]` of all rows, then the bias. */
export interface Solved {
  point: Float32Array;
  iterations: number;
  loss: number;
}

/** @param onIteration told after each iteration, with what makes a point of where it ended */
export async function solve(
  of: ProblemOptions,
  options: Omit<ObjectiveOptions, 'onIteration'>,
  onIteration?: (iteration: number, loss: number, point: () => Float32Array) => boolean | undefined,
): Promise<Solved> {
  const problem = new Problem(options, of);
  const { point, at, iterations } = await minimise<Weights, Evaluated>({
    vectors: problem.vectors,
    evaluate: async (weights) => problem.evaluate(weights),
    gradient: (weights, evaluated) => problem.gradient(weights, evaluated),
    start: problem.startAt(options.start),
    maxIterations: options.maxIterations,
    tolerance: Math.max(options.tolerance, LEAST_TOLERANCE),
    history: HISTORY,
    onIteration:
      onIteration && ((iteration, { loss }, weights) => onIteration(iteration, loss, () => problem.point(weights))),
  });
  return { point: problem.point(point), iterations, loss: at.loss };
}

/** One fit: the rows that count in it, and what is computed of them. */
class Problem {
  readonly vectors: Vectors<Weights>;
  readonly #of: ProblemOptions & ReturnType<typeof lanesOf>;
  /** Which rows count, and by how much. */
  readonly #rows: Int32Array;
  readonly #shares: Float32Array;
  /** λ; of two classes twice, for one number stands for two weights. */
  readonly #penalty: number;
  readonly #products: Products;
  #steps = 0;

  constructor({ shares, weightDecay }: Pick<ObjectiveOptions, 'shares' | 'weightDecay'>, of: ProblemOptions) {
    const { lanes, free } = lanesOf(of.classes);
    this.#of = { ...of, lanes, free };
    this.#rows = Int32Array.from(shares.keys()).filter((row) => shares[row]! > 0);
    this.#shares = Float32Array.from(this.#rows, (row) => shares[row]!);
    this.#penalty = free === 1 ? 2 * weightDecay : weightDecay;
    this.#products = new Products(onlySparse(takeRows(of.features, this.#rows)), lanes);
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
  evaluate({ parts, scores, bias }: Weights): Evaluated {
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
  gradient({ parts, scores }: Weights, { errors, byBias }: Evaluated): Weights {
    this.#steps += 1;
    if (this.#steps % STEPS_TO_TRUST === 0) scores.set(this.#products.scoresOf(parts));
    const gradient = this.vectors.take();
    combineArrays(gradient.scores, this.#products.scoresOf(errors), this.#penalty, scores);
    combineArrays(gradient.parts, errors, this.#penalty, parts);
    gradient.bias.set(byBias);
    return gradient;
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
