/**
 * Multinomial logistic regression: minimise
 *   Σᵢ wᵢ · −log softmax(V xᵢ + b)[yᵢ] / Σᵢ wᵢ  +  λ/2 · |V|²
 * by L-BFGS (Nocedal & Wright, Numerical Optimization, algorithm 7.5; backtracking line search).
 *
 * Loss and gradient are computed by ONNX Runtime, which reads the images where they lie: on all cores, and without a copy
 * (TensorFlow.js on WebAssembly took four times as long). A fit names its images by weights, 0 leaving an image out. So the
 * folds of a cross-validation and all penalties share one matrix, and one pass scores all images, those left out, too.
 */

import { type Features, onlyDense } from '../numbers/features.js';
import { sharedSession, Tensor } from '../onnx/runtime.js';
import { softmaxLossModel } from './softmax-loss.js';

/** Numbers in the largest intermediate result: bounds the memory of a pass where classes are many. */
const CHUNK_NUMBERS = 1 << 23;
const HISTORY = 10;

export interface SoftmaxParameters {
  /** `[K, D]`, row by row. */
  weights: Float32Array;
  /** `[K]` */
  bias: Float32Array;
}

export interface SoftmaxFit extends SoftmaxParameters {
  iterations: number;
  loss: number;
  /** Of all images, `[N, K]`. */
  logits: Float32Array;
}

export interface FitOptions {
  /** `[N]`: weight of each image; 0 leaves it out. */
  rowWeights: Float32Array;
  /** λ */
  weightDecay: number;
  start?: SoftmaxParameters;
  maxIterations: number;
  /** Stop when the loss falls by less than this share in one iteration. */
  tolerance: number;
  /** Called after each iteration; `logits` `[N, K]` belong to the parameters it ended with. Return false to stop. */
  onIteration?: (step: { iteration: number; loss: number; logits: Float32Array }) => boolean | undefined;
}

interface Chunk {
  start: number;
  rows: number;
  /** `[n, D]` */
  x: Tensor;
  /** `[n]` */
  y: Tensor;
}

interface Evaluation {
  loss: number;
  /** `[K·D + K]` */
  gradient: Float32Array;
  /** `[N, K]` */
  logits: Float32Array;
}

const session = sharedSession(softmaxLossModel);

/** A set of labelled feature vectors to fit on, again and again. */
export class SoftmaxRegression {
  readonly #chunks: Chunk[] = [];
  readonly #images: number;
  readonly #dimensions: number;
  readonly #classes: number;

  /** @param options features: standardised, not to be changed; y: `[N]` class indices below K */
  constructor(options: { features: Features; y: Int32Array; classes: number }) {
    const { y, classes } = options;
    const { values: x, columns: dimensions } = onlyDense(options.features);
    this.#images = y.length;
    this.#dimensions = dimensions;
    this.#classes = classes;
    const most = Math.max(1, Math.floor(CHUNK_NUMBERS / classes));
    for (let start = 0; start < y.length; start += most) {
      const rows = Math.min(most, y.length - start);
      const part = x.subarray(start * dimensions, (start + rows) * dimensions);
      const truth = BigInt64Array.from(y.subarray(start, start + rows), BigInt);
      this.#chunks.push({
        start,
        rows,
        x: new Tensor('float32', part, [rows, dimensions]),
        y: new Tensor('int64', truth, [rows]),
      });
    }
  }

  /** Fit from `start`, or from zero. The event loop is held during each pass; run it in a process of its own. */
  async fit(options: FitOptions): Promise<SoftmaxFit> {
    const { rowWeights, weightDecay, maxIterations, tolerance, onIteration } = options;
    const [K, D] = [this.#classes, this.#dimensions];
    const size = K * D + K;
    let point: Float32Array = new Float32Array(size);
    if (options.start) {
      point.set(options.start.weights);
      point.set(options.start.bias, K * D);
    }
    const total = rowWeights.reduce((sum, weight) => sum + weight, 0);
    const shares = this.#shares(rowWeights, total);
    let at = await this.#evaluate(point, shares, weightDecay);
    const steps: { s: Float32Array; y: Float32Array; rho: number }[] = [];
    let iteration = 0;
    while (iteration < maxIterations) {
      const direction = descent(at.gradient, steps);
      let slope = dot(direction, at.gradient);
      if (!(slope < 0)) {
        steps.length = 0;
        for (let i = 0; i < size; i += 1) direction[i] = -at.gradient[i]!;
        slope = dot(direction, at.gradient);
        if (!(slope < 0)) break;
      }
      // The first step has no curvature to go by: make it one unit long.
      let length = steps.length === 0 ? Math.min(1, 1 / Math.sqrt(-slope)) : 1;
      let next: Float32Array | undefined;
      let found: Evaluation | undefined;
      for (let tries = 0; tries < 20; tries += 1) {
        const candidate = new Float32Array(size);
        for (let i = 0; i < size; i += 1) candidate[i] = point[i]! + length * direction[i]!;
        const tried = await this.#evaluate(candidate, shares, weightDecay);
        if (tried.loss <= at.loss + 1e-4 * length * slope) {
          next = candidate;
          found = tried;
          break;
        }
        const quadratic = (-slope * length * length) / (2 * (tried.loss - at.loss - slope * length));
        length = Number.isFinite(quadratic) ? Math.min(0.5 * length, Math.max(0.1 * length, quadratic)) : 0.1 * length;
      }
      if (next === undefined || found === undefined) break;
      const s = new Float32Array(size);
      const y = new Float32Array(size);
      for (let i = 0; i < size; i += 1) {
        s[i] = next[i]! - point[i]!;
        y[i] = found.gradient[i]! - at.gradient[i]!;
      }
      const curvature = dot(s, y);
      if (curvature > 1e-10 * dot(y, y)) {
        if (steps.length === HISTORY) steps.shift();
        steps.push({ s, y, rho: 1 / curvature });
      }
      const fall = (at.loss - found.loss) / Math.max(Math.abs(at.loss), 1e-8);
      point = next;
      at = found;
      iteration += 1;
      const goOn = onIteration?.({ iteration, loss: at.loss, logits: at.logits });
      if (goOn === false || fall < tolerance) break;
    }
    return { ...unpack(point, K, D), iterations: iteration, loss: at.loss, logits: at.logits };
  }

  async #evaluate(point: Float32Array, shares: Tensor[], weightDecay: number): Promise<Evaluation> {
    const [K, D] = [this.#classes, this.#dimensions];
    const runner = await session();
    const weights = new Tensor('float32', point.subarray(0, K * D), [K, D]);
    const bias = new Tensor('float32', point.subarray(K * D), [K]);
    const gradient = new Float32Array(point.length);
    const logits = new Float32Array(this.#images * K);
    let loss = 0;
    for (const [index, { x, y, start }] of this.#chunks.entries()) {
      const part = await runner.run({ x, y, share: shares[index]!, weights, bias });
      const numbers = (name: string) => part[name]!.data as Float32Array;
      loss += numbers('loss')[0]!;
      logits.set(numbers('logits'), start * K);
      const [byWeights, byBias] = [numbers('by_weights'), numbers('by_bias')];
      for (let i = 0; i < K * D; i += 1) gradient[i]! += byWeights[i]!;
      for (let k = 0; k < K; k += 1) gradient[K * D + k]! += byBias[k]!;
    }
    let square = 0;
    for (let i = 0; i < K * D; i += 1) {
      square += point[i]! * point[i]!;
      gradient[i]! += weightDecay * point[i]!;
    }
    return { loss: loss + 0.5 * weightDecay * square, gradient, logits };
  }

  /** Image weights that add up to 1, `[n, 1]` per chunk. */
  #shares(rowWeights: Float32Array, total: number): Tensor[] {
    return this.#chunks.map(({ start, rows }) => {
      const part = rowWeights.slice(start, start + rows).map((weight) => weight / total);
      return new Tensor('float32', part, [rows, 1]);
    });
  }
}

function unpack(point: Float32Array, K: number, D: number): SoftmaxParameters {
  return { weights: point.subarray(0, K * D), bias: point.subarray(K * D) };
}

/** −H·gradient by the two-loop recursion over the last steps. */
function descent(gradient: Float32Array, steps: { s: Float32Array; y: Float32Array; rho: number }[]): Float32Array {
  const q = gradient.map((value) => -value);
  const last = steps.at(-1);
  if (!last) return q;
  const alphas = new Float64Array(steps.length);
  let product = dot(last.s, q);
  for (let n = steps.length - 1; n >= 0; n -= 1) {
    const { y, rho } = steps[n]!;
    alphas[n] = rho * product;
    product = addThenDot(q, -alphas[n]!, y, n > 0 ? steps[n - 1]!.s : q);
  }
  const scale = 1 / (last.rho * dot(last.y, last.y));
  for (let i = 0; i < q.length; i += 1) q[i]! *= scale;
  product = dot(steps[0]!.y, q);
  for (let n = 0; n < steps.length; n += 1) {
    const { s, rho } = steps[n]!;
    product = addThenDot(q, alphas[n]! - rho * product, s, n + 1 < steps.length ? steps[n + 1]!.y : q);
  }
  return q;
}

/** Four sums side by side: one would wait for each addition before the next. */
function dot(a: Float32Array, b: Float32Array): number {
  let [sum0, sum1, sum2, sum3] = [0, 0, 0, 0];
  const whole = a.length - (a.length % 4);
  for (let i = 0; i < whole; i += 4) {
    sum0 += a[i]! * b[i]!;
    sum1 += a[i + 1]! * b[i + 1]!;
    sum2 += a[i + 2]! * b[i + 2]!;
    sum3 += a[i + 3]! * b[i + 3]!;
  }
  for (let i = whole; i < a.length; i += 1) sum0 += a[i]! * b[i]!;
  return sum0 + sum1 + (sum2 + sum3);
}

/** q += factor · v, in place. @returns w · q, from the same pass over the memory */
function addThenDot(q: Float32Array, factor: number, v: Float32Array, w: Float32Array): number {
  let [sum0, sum1, sum2, sum3] = [0, 0, 0, 0];
  const whole = q.length - (q.length % 4);
  for (let i = 0; i < whole; i += 4) {
    q[i]! += factor * v[i]!;
    q[i + 1]! += factor * v[i + 1]!;
    q[i + 2]! += factor * v[i + 2]!;
    q[i + 3]! += factor * v[i + 3]!;
    sum0 += w[i]! * q[i]!;
    sum1 += w[i + 1]! * q[i + 1]!;
    sum2 += w[i + 2]! * q[i + 2]!;
    sum3 += w[i + 3]! * q[i + 3]!;
  }
  for (let i = whole; i < q.length; i += 1) {
    q[i]! += factor * v[i]!;
    sum0 += w[i]! * q[i]!;
  }
  return sum0 + sum1 + (sum2 + sum3);
}
