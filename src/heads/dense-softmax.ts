import type { DenseFeatures } from '../numbers/features.js';
import { sharedSession, Tensor } from '../onnx/runtime.js';
import type { DenseLayer } from './head.js';
import { softmaxLossModel } from './softmax-loss.js';
import { minimise } from './lbfgs.js';
import type { ObjectiveFit, ObjectiveOptions, SoftmaxObjective } from './softmax-objective.js';
import { arrays } from './vectors.js';

/** Numbers in the largest intermediate result: bounds the memory of a pass where classes are many. */
const CHUNK_NUMBERS = 1 << 23;

interface Evaluated {
  loss: number;
  gradient: Float32Array;
  /** Of all rows, `[N, K]`. */
  logits: Float32Array;
}

interface Chunk {
  start: number;
  rows: number;
  /** `[n, D]` */
  x: Tensor;
  /** `[n]` */
  y: Tensor;
}

const session = sharedSession(softmaxLossModel);

/**
 * Softmax regression on dense features. Loss and gradient are computed by ONNX Runtime, which reads the features where they
 * lie: on all cores, and without a copy (TensorFlow.js on WebAssembly took four times as long). A point is weights `[K, D]`,
 * then the bias `[K]`.
 */
export class DenseSoftmax implements SoftmaxObjective {
  readonly #size: number;
  readonly #chunks: Chunk[] = [];
  readonly #rows: number;
  readonly #columns: number;
  readonly #classes: number;

  constructor({ values, columns }: DenseFeatures, y: Int32Array, classes: number) {
    this.#rows = y.length;
    this.#columns = columns;
    this.#classes = classes;
    this.#size = (columns + 1) * classes;
    const most = Math.max(1, Math.floor(CHUNK_NUMBERS / classes));
    for (let start = 0; start < y.length; start += most) {
      const rows = Math.min(most, y.length - start);
      const part = values.subarray(start * columns, (start + rows) * columns);
      const truth = BigInt64Array.from(y.subarray(start, start + rows), BigInt);
      this.#chunks.push({
        start,
        rows,
        x: new Tensor('float32', part, [rows, columns]),
        y: new Tensor('int64', truth, [rows]),
      });
    }
  }

  async fit(options: ObjectiveOptions): Promise<ObjectiveFit> {
    const { shares, weightDecay, start, onIteration, maxIterations, tolerance } = options;
    const tensors = this.#chunks.map(
      ({ start: from, rows }) => new Tensor('float32', shares.subarray(from, from + rows), [rows, 1]),
    );
    const vectors = arrays(this.#size);
    const { point, at, iterations } = await minimise({
      vectors,
      evaluate: (candidate) => this.#evaluate(candidate, { tensors, weightDecay, gradient: vectors.take().fill(0) }),
      gradient: (_, { gradient }) => gradient,
      start: start?.slice() ?? new Float32Array(this.#size),
      maxIterations,
      tolerance,
      onIteration: onIteration && ((iteration, { loss, logits }) => onIteration(iteration, loss, () => logits)),
    });
    return { point, iterations, loss: at.loss, logits: at.logits };
  }

  layer(point: Float32Array): DenseLayer {
    const [K, D] = [this.#classes, this.#columns];
    const kernel = new Float32Array(D * K);
    for (let k = 0; k < K; k += 1) for (let d = 0; d < D; d += 1) kernel[d * K + k] = point[k * D + d]!;
    return { inputs: D, units: K, kernel, bias: point.slice(K * D), activation: 'softmax' };
  }

  async #evaluate(
    point: Float32Array,
    { tensors, weightDecay, gradient }: { tensors: Tensor[]; weightDecay: number; gradient: Float32Array },
  ): Promise<Evaluated> {
    const [K, D] = [this.#classes, this.#columns];
    const runner = await session();
    const weights = new Tensor('float32', point.subarray(0, K * D), [K, D]);
    const bias = new Tensor('float32', point.subarray(K * D), [K]);
    const logits = new Float32Array(this.#rows * K);
    let loss = 0;
    for (const [index, { x, y, start }] of this.#chunks.entries()) {
      const part = await runner.run({ x, y, share: tensors[index]!, weights, bias });
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
}
