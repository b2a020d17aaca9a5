/**
 * Multinomial logistic regression: minimise
 *   Σᵢ wᵢ · −log softmax(V xᵢ + b)[yᵢ] / Σᵢ wᵢ  +  λ/2 · |V|²
 * by L-BFGS (Nocedal & Wright, Numerical Optimization, algorithm 7.5; backtracking line search).
 *
 * The images stay on the engine as one matrix; a fit names its images by weights, 0 leaving an image out. So the folds of
 * a cross-validation and all penalties share one copy, and one pass scores all images, those left out, too.
 */
import type { Tensor1D, Tensor2D } from '@tensorflow/tfjs-core';
import type { Engine } from './engine.js';

/** Rows in one tensor: bounds the memory of one matrix product and keeps its index arithmetic in 32 bits. */
const CHUNK_ROWS = 16_384;
const HISTORY = 10;

export interface SoftmaxParameters {
  /** `[K, D]`, row by row. */
  weights: Float32Array;
  /** `[K]` */
  bias: Float32Array;
}

export interface FitOptions {
  /** `[N]`: weight of each image; 0 leaves it out. */
  imageWeights: Float32Array;
  /** λ */
  weightDecay: number;
  start?: SoftmaxParameters;
  maxIterations: number;
  /** Stop when the loss falls by less than this share in one iteration. */
  tolerance: number;
  /** Called after each iteration; `logits` `[N, K]` belong to the parameters it ended with. Return false to stop. */
  onIteration?: (step: { iteration: number; loss: number; logits: () => Float32Array }) => boolean | undefined;
}

interface Chunk {
  rows: number;
  /** `[n, D]` */
  x: Tensor2D;
  /** `[n, K]` */
  oneHot: Tensor2D;
}

/** A set of labelled feature vectors on the engine. Close it: tensors are not garbage-collected. */
export class SoftmaxRegression {
  readonly #tf: Engine['tf'];
  readonly #chunks: Chunk[] = [];
  readonly #images: number;
  readonly #dimensions: number;
  readonly #classes: number;

  /** @param options x: float32 `[N, D]`, standardised; y: `[N]` class indices below K */
  constructor(options: { engine: Engine; x: Float32Array; y: Int32Array; dimensions: number; classes: number }) {
    const { engine, x, y, dimensions, classes } = options;
    this.#tf = engine.tf;
    this.#images = y.length;
    this.#dimensions = dimensions;
    this.#classes = classes;
    for (let start = 0; start < y.length; start += CHUNK_ROWS) {
      const rows = Math.min(CHUNK_ROWS, y.length - start);
      const oneHot = new Float32Array(rows * classes);
      for (let i = 0; i < rows; i += 1) oneHot[i * classes + y[start + i]!] = 1;
      this.#chunks.push({
        rows,
        x: this.#tf.tensor2d(x.subarray(start * dimensions, (start + rows) * dimensions), [rows, dimensions]),
        oneHot: this.#tf.tensor2d(oneHot, [rows, classes]),
      });
    }
  }

  close(): void {
    for (const { x, oneHot } of this.#chunks) this.#tf.dispose([x, oneHot]);
    this.#chunks.length = 0;
  }

  /** Logits of all images, `[N, K]`. */
  logits(parameters: SoftmaxParameters): Float32Array {
    const out = new Float32Array(this.#images * this.#classes);
    let row = 0;
    for (const chunk of this.#chunks) {
      const logits = this.#tf.tidy(() => this.#forward(chunk, parameters));
      out.set(logits.dataSync(), row * this.#classes);
      logits.dispose();
      row += chunk.rows;
    }
    return out;
  }

  /** Fit from `start`, or from zero. The event loop is held; run it in a process of its own. */
  fit(options: FitOptions): SoftmaxParameters & { iterations: number; loss: number } {
    const { imageWeights, weightDecay, maxIterations, tolerance, onIteration } = options;
    const [K, D] = [this.#classes, this.#dimensions];
    const size = K * D + K;
    let point: Float32Array = new Float32Array(size);
    if (options.start) {
      point.set(options.start.weights);
      point.set(options.start.bias, K * D);
    }
    const total = imageWeights.reduce((sum, weight) => sum + weight, 0);
    const weights = this.#chunkWeights(imageWeights, total);
    try {
      let { loss, gradient } = this.#evaluate(point, weights, weightDecay);
      const steps: { s: Float32Array; y: Float32Array; rho: number }[] = [];
      let iteration = 0;
      while (iteration < maxIterations) {
        const direction = descent(gradient, steps);
        let slope = dot(direction, gradient);
        if (!(slope < 0)) {
          steps.length = 0;
          for (let i = 0; i < size; i += 1) direction[i] = -gradient[i]!;
          slope = dot(direction, gradient);
          if (!(slope < 0)) break;
        }
        // The first step has no curvature to go by: make it one unit long.
        let length = steps.length === 0 ? Math.min(1, 1 / Math.sqrt(-slope)) : 1;
        let next: Float32Array | undefined;
        let found: { loss: number; gradient: Float32Array } | undefined;
        for (let tries = 0; tries < 20; tries += 1) {
          const candidate = new Float32Array(size);
          for (let i = 0; i < size; i += 1) candidate[i] = point[i]! + length * direction[i]!;
          const at = this.#evaluate(candidate, weights, weightDecay);
          if (at.loss <= loss + 1e-4 * length * slope) {
            next = candidate;
            found = at;
            break;
          }
          const quadratic = (-slope * length * length) / (2 * (at.loss - loss - slope * length));
          length = Number.isFinite(quadratic)
            ? Math.min(0.5 * length, Math.max(0.1 * length, quadratic))
            : 0.1 * length;
        }
        if (next === undefined || found === undefined) break;
        const s = new Float32Array(size);
        const y = new Float32Array(size);
        for (let i = 0; i < size; i += 1) {
          s[i] = next[i]! - point[i]!;
          y[i] = found.gradient[i]! - gradient[i]!;
        }
        const curvature = dot(s, y);
        if (curvature > 1e-10 * dot(y, y)) {
          steps.push({ s, y, rho: 1 / curvature });
          if (steps.length > HISTORY) steps.shift();
        }
        const fall = (loss - found.loss) / Math.max(Math.abs(loss), 1e-8);
        point = next;
        ({ loss, gradient } = found);
        iteration += 1;
        const goOn = onIteration?.({ iteration, loss, logits: () => this.logits(unpack(point, K, D)) });
        if (goOn === false || fall < tolerance) break;
      }
      return { ...unpack(point, K, D), iterations: iteration, loss };
    } finally {
      this.#tf.dispose(weights);
    }
  }

  /** Loss, and its gradient `[K·D + K]`. */
  #evaluate(point: Float32Array, weights: Tensor2D[], weightDecay: number): { loss: number; gradient: Float32Array } {
    const [K, D] = [this.#classes, this.#dimensions];
    const parameters = unpack(point, K, D);
    const gradient = new Float32Array(point.length);
    let loss = 0;
    for (const [index, chunk] of this.#chunks.entries()) {
      const tf = this.#tf;
      const parts = tf.tidy(() => {
        const logProbabilities = tf.logSoftmax(this.#forward(chunk, parameters)) as Tensor2D;
        const target = tf.mul(chunk.oneHot, weights[index]!);
        const surprise = tf.neg(tf.sum(tf.mul(target, logProbabilities)));
        // [K, n]: transposed here, because the engine multiplies transposed operands on a slow path
        const error = tf.transpose(tf.sub(tf.mul(tf.exp(logProbabilities), weights[index]!), target)) as Tensor2D;
        return [surprise, tf.matMul(error, chunk.x), tf.sum(error, 1)] as const;
      });
      const [surprise, byWeight, byBias] = parts.map((part) => part.dataSync()) as [
        Float32Array,
        Float32Array,
        Float32Array,
      ];
      loss += surprise[0]!;
      for (let i = 0; i < K * D; i += 1) gradient[i]! += byWeight[i]!;
      for (let k = 0; k < K; k += 1) gradient[K * D + k]! += byBias[k]!;
      tf.dispose(parts as unknown as Tensor2D[]);
    }
    let square = 0;
    for (let i = 0; i < K * D; i += 1) {
      square += point[i]! * point[i]!;
      gradient[i]! += weightDecay * point[i]!;
    }
    return { loss: loss + 0.5 * weightDecay * square, gradient };
  }

  #forward(chunk: Chunk, { weights, bias }: SoftmaxParameters): Tensor2D {
    const tf = this.#tf;
    const kernel = tf.transpose(tf.tensor2d(weights, [this.#classes, this.#dimensions])) as Tensor2D;
    return tf.add(tf.matMul(chunk.x, kernel), tf.tensor1d(bias) as Tensor1D);
  }

  /** Image weights as `[n, 1]` tensors that add up to 1. */
  #chunkWeights(imageWeights: Float32Array, total: number): Tensor2D[] {
    let row = 0;
    return this.#chunks.map(({ rows }) => {
      const part = imageWeights.slice(row, row + rows).map((weight) => weight / total);
      row += rows;
      return this.#tf.tensor2d(part, [rows, 1]);
    });
  }
}

function unpack(point: Float32Array, K: number, D: number): SoftmaxParameters {
  return { weights: point.subarray(0, K * D), bias: point.subarray(K * D) };
}

/** −H·gradient by the two-loop recursion over the last steps. */
function descent(gradient: Float32Array, steps: { s: Float32Array; y: Float32Array; rho: number }[]): Float32Array {
  const q = gradient.slice();
  const alphas: number[] = [];
  for (const { s, y, rho } of [...steps].reverse()) {
    const alpha = rho * dot(s, q);
    alphas.push(alpha);
    for (let i = 0; i < q.length; i += 1) q[i]! -= alpha * y[i]!;
  }
  const last = steps.at(-1);
  const scale = last ? 1 / (last.rho * dot(last.y, last.y)) : 1;
  for (let i = 0; i < q.length; i += 1) q[i]! *= scale;
  for (const { s, y, rho } of steps) {
    const beta = rho * dot(y, q);
    const alpha = alphas.pop()!;
    for (let i = 0; i < q.length; i += 1) q[i]! += (alpha - beta) * s[i]!;
  }
  for (let i = 0; i < q.length; i += 1) q[i] = -q[i]!;
  return q;
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i += 1) sum += a[i]! * b[i]!;
  return sum;
}
