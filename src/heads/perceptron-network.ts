import type { Optimizer, Tensor, Tensor2D, Variable } from '@tensorflow/tfjs-core';
import type { Features } from '../numbers/features.js';
import { gaussianFrom } from '../numbers/random.js';
import { usualSquaredLength } from '../numbers/standardise.js';
import { type DenseBatches, denseBatches } from './dense-batches.js';
import type { Engine } from './engine.js';
import type { DenseLayer } from './head.js';

export interface NetworkOptions {
  engine: Engine;
  /** Standardised. */
  features: Features;
  /** `[N]`, class indices below `classes` */
  y: Int32Array;
  classes: number;
  /** Rows to train on. */
  train: Int32Array;
  /** `[N]` */
  rowWeights: Float32Array;
  /** Of each hidden layer; none: a softmax layer alone. */
  hiddenUnits: readonly number[];
  dropout: number;
  learningRate: number;
  /** λ in mean loss + λ/2 · |W|² */
  weightDecay: number;
  /** Uniform numbers in [0, 1). */
  random: () => number;
}

/** Rows in a pass that only looks, and numbers in its input. */
const MAX_LOOK = 4096;
const MAX_LOOK_NUMBERS = 1 << 23;

interface Layer {
  w: Variable;
  b: Variable;
}

/** The weights of a perceptron and its optimizer, on the engine; to be disposed of. */
export class PerceptronNetwork {
  readonly #tf: Engine['tf'];
  readonly #options: NetworkOptions;
  readonly #batches: DenseBatches;
  /** The hidden ones in order, then that of the scores. */
  readonly #layers: Layer[];
  readonly #optimizer: Optimizer;

  constructor(options: NetworkOptions) {
    const { engine, features, classes: K, hiddenUnits, random } = options;
    this.#tf = engine.tf;
    this.#options = options;
    this.#batches = denseBatches(features, options.train);
    const gaussian = gaussianFrom(random);
    const initial = (rows: number, columns: number, deviation: number) =>
      this.#variable(
        Float32Array.from({ length: rows * columns }, () => deviation * gaussian()),
        [rows, columns],
      );
    const zeros = (columns: number) => this.#variable(new Float32Array(columns), [1, columns]);
    const D = this.#batches.columns;
    // He initialisation for the relu layers, small weights for the softmax layer.
    const lengths = [usualSquaredLength(features), ...hiddenUnits];
    const inputs = [D, ...hiddenUnits];
    this.#layers = [
      ...hiddenUnits.map((units, i) => ({
        w: initial(inputs[i]!, units, Math.sqrt(2 / lengths[i]!)),
        b: zeros(units),
      })),
      { w: initial(inputs.at(-1)!, K, 0.01), b: zeros(K) },
    ];
    this.#optimizer = engine.tf.train.adam(options.learningRate);
  }

  /** One step on a batch. @returns mean loss before it, and how many rows were classified rightly */
  step(rows: Int32Array): { loss: number; hits: number } {
    const tf = this.#tf;
    const { y, classes: K, weightDecay, dropout } = this.#options;
    const n = rows.length;
    const oneHot = new Float32Array(n * K);
    const weights = new Float32Array(n);
    rows.forEach((row, i) => {
      oneHot[i * K + y[row]!] = 1;
      weights[i] = this.#options.rowWeights[row]! / n;
    });
    const [loss, hits] = tf.tidy(() => {
      const target = tf.tensor2d(oneHot, [n, K]);
      const weight = tf.tensor2d(weights, [n, 1]);
      const { inputs, logits } = this.#forward(this.#input(rows), dropout);
      const logProbabilities = tf.logSoftmax(logits);
      let back = tf.mul(tf.sub(tf.exp(logProbabilities), target), weight) as Tensor2D; // [n, K]
      const gradients: Tensor[] = [];
      for (let i = this.#layers.length - 1; i >= 0; i -= 1) {
        const { w } = this.#layers[i]!;
        const taken = inputs[i]!;
        const slope = tf.matMul(tf.transpose(taken) as Tensor2D, back);
        gradients.unshift(tf.add(slope, tf.mul(w, weightDecay)), tf.sum(back, 0, true));
        if (i === 0) break;
        // Positive exactly where the unit was active and not dropped; the mask's scale applies there again.
        const gate = tf.mul(tf.cast(tf.greater(taken, 0), 'float32'), 1 / (1 - dropout));
        back = tf.mul(tf.matMul(back, tf.transpose(w) as Tensor2D), gate);
      }
      this.#optimizer.applyGradients(
        this.#variables.map((variable, i) => ({ name: variable.name, tensor: gradients[i]! })),
      );
      const surprise = tf.neg(tf.sum(tf.mul(tf.mul(target, logProbabilities), weight)));
      const right = tf.sum(tf.cast(tf.equal(tf.argMax(logits, 1), tf.argMax(target, 1)), 'float32'));
      return [surprise.dataSync()[0]!, right.dataSync()[0]!];
    });
    return { loss, hits };
  }

  /** `[rows, K]`, without dropout. */
  logits(rows: Int32Array): Float32Array {
    const K = this.#options.classes;
    const out = new Float32Array(rows.length * K);
    const look = Math.max(1, Math.min(MAX_LOOK, Math.floor(MAX_LOOK_NUMBERS / this.#batches.columns)));
    for (let start = 0; start < rows.length; start += look) {
      const part = rows.subarray(start, start + look);
      out.set(
        this.#tf.tidy(() => this.#forward(this.#input(part), 0).logits.dataSync() as Float32Array),
        start * K,
      );
    }
    return out;
  }

  /** A copy of all weights, for `layers`. */
  async values(): Promise<Float32Array[]> {
    const values = await Promise.all(this.#variables.map((variable) => variable.data() as Promise<Float32Array>));
    return values.map((value) => value.slice());
  }

  layers(values: Float32Array[]): DenseLayer[] {
    const { features, hiddenUnits, classes: K } = this.#options;
    const inputs = [features.columns, ...hiddenUnits];
    const all = [...hiddenUnits, K];
    return all.map((units, i) => ({
      inputs: inputs[i]!,
      units,
      kernel: i === 0 ? this.#batches.spread(values[0]!, units) : values[2 * i]!,
      bias: values[2 * i + 1]!,
      activation: i === all.length - 1 ? 'softmax' : 'relu',
    }));
  }

  /** Of the steps to come. */
  set learningRate(rate: number) {
    // Adam reads it in every step; its type only hides it.
    (this.#optimizer as unknown as { learningRate: number }).learningRate = rate;
  }

  dispose(): void {
    this.#optimizer.dispose();
    this.#tf.dispose(this.#variables);
  }

  get #variables(): Variable[] {
    return this.#layers.flatMap(({ w, b }) => [w, b]);
  }

  #input(rows: Int32Array): Tensor2D {
    return this.#tf.tensor2d(this.#batches.read(rows), [rows.length, this.#batches.columns]);
  }

  /** Scores, and what each layer took. */
  #forward(input: Tensor2D, dropout: number): { inputs: Tensor2D[]; logits: Tensor2D } {
    const tf = this.#tf;
    const inputs: Tensor2D[] = [];
    let values = input;
    for (const [i, { w, b }] of this.#layers.entries()) {
      inputs.push(values);
      values = tf.add(tf.matMul(values, w as Tensor2D), b) as Tensor2D;
      if (i === this.#layers.length - 1) break;
      values = tf.relu(values);
      if (dropout > 0) values = tf.mul(values, dropoutMask(tf, values.shape, dropout, this.#options.random));
    }
    return { inputs, logits: values };
  }

  /** A variable is not disposed of by `tidy`; the tensor it starts from must be. */
  #variable(values: Float32Array, shape: [number, number]): Variable {
    return this.#tf.tidy(() => this.#tf.variable(this.#tf.tensor2d(values, shape)) as never);
  }
}

/** Which units are kept, `[n, units]`; those are scaled up, so that the sum stays what it was. */
export function dropoutMask(
  tf: Engine['tf'],
  [n, units]: [number, number],
  dropout: number,
  random: () => number,
): Tensor2D {
  const [keep, scale] = [1 - dropout, 1 / (1 - dropout)];
  return tf.tensor2d(
    Float32Array.from({ length: n * units }, () => (random() < keep ? scale : 0)),
    [n, units],
  );
}
