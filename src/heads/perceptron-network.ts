import type { Optimizer, Tensor2D, Variable } from '@tensorflow/tfjs-core';
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
  /** 0: a softmax layer alone. */
  hiddenUnits: number;
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
  readonly #hidden: Layer | undefined;
  readonly #output: Layer;
  readonly #optimizer: Optimizer;

  constructor(options: NetworkOptions) {
    const { engine, features, classes: K, hiddenUnits: H, random } = options;
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
    // He initialisation for the relu layer, small weights for the softmax layer.
    this.#hidden = H > 0 ? { w: initial(D, H, Math.sqrt(2 / usualSquaredLength(features))), b: zeros(H) } : undefined;
    this.#output = { w: initial(H || D, K, 0.01), b: zeros(K) };
    this.#optimizer = engine.tf.train.adam(options.learningRate);
  }

  /** One step on a batch. @returns mean loss before it, and how many rows were classified rightly */
  step(rows: Int32Array): { loss: number; hits: number } {
    const [tf, hidden, output] = [this.#tf, this.#hidden, this.#output];
    const { y, classes: K, weightDecay, dropout } = this.#options;
    const n = rows.length;
    const oneHot = new Float32Array(n * K);
    const weights = new Float32Array(n);
    rows.forEach((row, i) => {
      oneHot[i * K + y[row]!] = 1;
      weights[i] = this.#options.rowWeights[row]! / n;
    });
    const masked = hidden !== undefined && dropout > 0;
    const [loss, hits] = tf.tidy(() => {
      const input = this.#input(rows);
      const target = tf.tensor2d(oneHot, [n, K]);
      const weight = tf.tensor2d(weights, [n, 1]);
      const { kept, logits } = this.#forward(input, masked ? this.#mask(n) : undefined);
      const logProbabilities = tf.logSoftmax(logits);
      const error = tf.mul(tf.sub(tf.exp(logProbabilities), target), weight) as Tensor2D; // [n, K]
      const penalty = (gradient: Tensor2D, w: Variable) => tf.add(gradient, tf.mul(w, weightDecay));
      const gradients = [penalty(tf.matMul(tf.transpose(kept) as Tensor2D, error), output.w), tf.sum(error, 0, true)];
      if (hidden) {
        const back = tf.matMul(error, tf.transpose(output.w) as Tensor2D); // [n, H]
        // kept > 0 exactly where the unit was active and not dropped; the mask's scale applies there again.
        const gate = tf.mul(tf.cast(tf.greater(kept, 0), 'float32'), masked ? 1 / (1 - dropout) : 1);
        const inner = tf.mul(back, gate) as Tensor2D;
        gradients.unshift(penalty(tf.matMul(tf.transpose(input) as Tensor2D, inner), hidden.w), tf.sum(inner, 0, true));
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
        this.#tf.tidy(() => this.#forward(this.#input(part)).logits.dataSync() as Float32Array),
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
    const { features, hiddenUnits: H, classes: K } = this.#options;
    const D = features.columns;
    const first = (units: number) => this.#batches.spread(values[0]!, units);
    if (!this.#hidden) return [{ inputs: D, units: K, kernel: first(K), bias: values[1]!, activation: 'softmax' }];
    return [
      { inputs: D, units: H, kernel: first(H), bias: values[1]!, activation: 'relu' },
      { inputs: H, units: K, kernel: values[2]!, bias: values[3]!, activation: 'softmax' },
    ];
  }

  dispose(): void {
    this.#optimizer.dispose();
    this.#tf.dispose(this.#variables);
  }

  get #variables(): Variable[] {
    const [hidden, output] = [this.#hidden, this.#output];
    return [...(hidden ? [hidden.w, hidden.b] : []), output.w, output.b];
  }

  #input(rows: Int32Array): Tensor2D {
    return this.#tf.tensor2d(this.#batches.read(rows), [rows.length, this.#batches.columns]);
  }

  #forward(input: Tensor2D, mask?: Tensor2D): { kept: Tensor2D; logits: Tensor2D } {
    const [tf, hidden, output] = [this.#tf, this.#hidden, this.#output];
    const active = hidden && (tf.relu(tf.add(tf.matMul(input, hidden.w as Tensor2D), hidden.b)) as Tensor2D);
    const kept = (active && mask ? (tf.mul(active, mask) as Tensor2D) : active) ?? input;
    return { kept, logits: tf.add(tf.matMul(kept, output.w as Tensor2D), output.b) as Tensor2D };
  }

  /** Which units are kept, `[n, H]`; those are scaled up, so that the sum stays what it was. */
  #mask(n: number): Tensor2D {
    const { dropout, hiddenUnits: H, random } = this.#options;
    const [keep, scale] = [1 - dropout, 1 / (1 - dropout)];
    return this.#tf.tensor2d(
      Float32Array.from({ length: n * H }, () => (random() < keep ? scale : 0)),
      [n, H],
    );
  }

  /** A variable is not disposed of by `tidy`; the tensor it starts from must be. */
  #variable(values: Float32Array, shape: [number, number]): Variable {
    return this.#tf.tidy(() => this.#tf.variable(this.#tf.tensor2d(values, shape)) as never);
  }
}
