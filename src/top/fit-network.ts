/**
 * Trains a top together with its head, from where both are: softmax cross-entropy by Adam on mini-batches. The loss of the head keeps its own penalty, so that a head fitted on the frozen features
 * starts at its optimum and only the top's gradient moves it.
 */
import type { Scalar, Tensor, Tensor2D, Variable } from '@tensorflow/tfjs-core';
import { AppError } from '../errors.js';
import { shuffle } from '../numbers/random.js';
import type { Engine } from '../heads/engine.js';
import type { DenseLayer } from '../heads/head.js';
import { type LearningRateSchedule, LearningRates } from '../heads/learning-rates.js';
import { dropoutMask } from '../heads/perceptron-network.js';
import type { TopNetwork } from './network.js';

export interface FitNetworkOptions {
  engine: Engine;
  /** Its weights are changed in place. */
  network: TopNetwork;
  /** Where the head starts; takes standardised features. */
  head: DenseLayer[];
  mean: Float32Array;
  deviation: Float32Array;
  /** What the trunk answered for a row, `[T]`. */
  read: (row: number) => Float32Array;
  dimensions: number;
  /** `[rows]` */
  y: Int32Array;
  classes: number;
  train: Int32Array;
  /** Rows that decide when to stop; may be empty. */
  validation: Int32Array;
  /** `[rows]` */
  rowWeights: Float32Array;
  learningRate: number;
  learningRateSchedule: LearningRateSchedule;
  /** Rates of the epochs of an earlier fit, where the schedule is `plateau`. */
  rates?: readonly number[];
  /** Share of the units of each hidden layer of the head that is left out per step. */
  dropout: number;
  /** λ in mean loss + λ/2 · |W|² of the head */
  weightDecay: number;
  batchSize: number;
  /** Epochs over which the rate falls, and after how many of them to stop at the latest. */
  schedule: number;
  epochs: number;
  /** How good scores of the validation rows are, `[n, K]` logits; less is better. */
  judge: (logits: Float32Array) => number;
  /** Epochs that are judged no better before stopping; 0: the last epoch is taken, whatever it is like. */
  patience: number;
  random: () => number;
  onEpoch?: (epoch: TopEpoch) => void;
  onStep?: (share: number) => void;
}

export interface TopEpoch {
  /** 0: the start */
  epoch: number;
  trainLoss: number;
  trainAccuracy: number;
  /** `[n, K]` logits of the validation rows. */
  validationLogits: Float32Array;
}

export interface FittedNetwork {
  /** Of the best epoch on validation, else of the last; `network` then has that epoch's weights, too. */
  head: DenseLayer[];
  bestEpoch: number;
  /** Scores of the validation rows in that epoch. */
  validationLogits: Float32Array;
  /** Of each epoch, where the schedule is `plateau`. */
  rates: number[];
}

/** Images in a pass that only looks. */
const LOOK = 32;
/** Numbers in all tensors of a pass; more images than fit go through one after another, and their gradients add up. */
const PASS_VALUES = 80_000_000;

/** Fit; the event loop is given back after each step. @throws AppError `training_diverged` */
export async function fitNetwork(options: FitNetworkOptions): Promise<FittedNetwork> {
  const { engine, network, y, classes: K, train, validation, random } = options;
  const { tf } = engine;
  const head = new TopHead(options);
  const optimizer = tf.train.adam(options.learningRate);
  const parameters = network.parameters.map(({ variable }) => variable);
  const variables = [...parameters, ...head.variables];
  const order = train.slice();
  const batchSize = Math.min(options.batchSize, Math.max(1, train.length));
  const perEpoch = Math.ceil(order.length / batchSize);

  /** Loss and hits of rows, and the gradients of what they add to the loss of a step of `n` rows. */
  const passOf = (rows: Int32Array, n: number) => {
    const target = new Float32Array(rows.length * K);
    const weights = new Float32Array(rows.length);
    rows.forEach((row, i) => {
      target[i * K + y[row]!] = 1;
      weights[i] = options.rowWeights[row]! / n;
    });
    const seen = { loss: 0, hits: 0 };
    const { grads } = tf.variableGrads(() => {
      const features = network.forward(batchOf(options, rows), rows.length);
      const logits = head.forward(features, { dropout: options.dropout, random });
      const [truth, weight] = [tf.tensor2d(target, [rows.length, K]), tf.tensor2d(weights, [rows.length, 1])];
      const loss = tf.neg(tf.sum(tf.mul(tf.mul(truth, tf.logSoftmax(logits)), weight)));
      const hits = tf.sum(tf.cast(tf.equal(tf.argMax(logits, 1), tf.argMax(truth, 1)), 'float32'));
      [seen.loss, seen.hits] = [loss.dataSync()[0]!, hits.dataSync()[0]!];
      return tf.add(loss, tf.mul(head.penalty(), rows.length / n)) as Scalar;
    }, variables);
    return { ...seen, gradients: variables.map(({ name }) => grads[name]!) };
  };
  const rowsAtOnce = Math.max(1, Math.floor(PASS_VALUES / network.values));
  const step = (rows: Int32Array): { loss: number; hits: number } => {
    const seen = { loss: 0, hits: 0 };
    let sum: Tensor[] = [];
    for (let start = 0; start < rows.length; start += rowsAtOnce) {
      const more = tf.tidy(() => {
        const { loss, hits, gradients } = passOf(rows.subarray(start, start + rowsAtOnce), rows.length);
        seen.loss += loss;
        seen.hits += hits;
        return start === 0 ? gradients : gradients.map((each, i) => tf.add(sum[i]!, each));
      });
      tf.dispose(sum);
      sum = more;
    }
    optimizer.applyGradients(variables.map(({ name }, i) => ({ name, tensor: sum[i]! })));
    tf.dispose(sum);
    return seen;
  };

  const rates = new LearningRates({
    rate: options.learningRate,
    schedule: options.learningRateSchedule,
    epochs: options.schedule,
    ...(options.rates && { given: options.rates }),
  });
  let best: { epoch: number; loss: number; values: Float32Array[]; logits: Float32Array } = {
    epoch: 0,
    loss: Number.POSITIVE_INFINITY,
    values: [],
    logits: new Float32Array(0),
  };
  const remember = async (epoch: number, loss: number, logits: Float32Array) => {
    const values = await Promise.all([...parameters, ...head.variables].map((each) => each.data()));
    best = { epoch, loss, logits, values: values.map((value) => Float32Array.from(value as Float32Array)) };
  };
  try {
    const start = await topLogits({ ...options, head, rows: validation });
    await remember(0, validation.length > 0 ? options.judge(start) : Number.POSITIVE_INFINITY, start);
    for (let epoch = 1; epoch <= options.epochs; epoch += 1) {
      shuffle(order, random);
      let [loss, hits] = [0, 0];
      for (let number = 0; number < perEpoch; number += 1) {
        const rows = order.subarray(number * batchSize, (number + 1) * batchSize);
        // Adam reads it in every step; its type only hides it.
        (optimizer as unknown as { learningRate: number }).learningRate = rates.at(epoch, number / perEpoch);
        const result = step(rows);
        loss += result.loss * rows.length;
        hits += result.hits;
        options.onStep?.((epoch - 1 + (number + 1) / perEpoch) / options.epochs);
        await new Promise((resolve) => setImmediate(resolve));
      }
      if (!Number.isFinite(loss)) {
        throw new AppError('training_diverged', `The training diverged in epoch ${epoch}. Lower learning_rate.`);
      }
      const validationLogits = await topLogits({ ...options, head, rows: validation });
      options.onEpoch?.({
        epoch,
        trainLoss: loss / order.length,
        trainAccuracy: hits / order.length,
        validationLogits,
      });
      const chooses = validation.length > 0 && options.patience > 0;
      const validationLoss = validation.length > 0 ? options.judge(validationLogits) : undefined;
      rates.observe(validationLoss);
      const judged = chooses ? validationLoss! : Number.NEGATIVE_INFINITY;
      if (judged < best.loss || !chooses) await remember(epoch, judged, validationLogits);
      if (chooses && epoch - best.epoch >= options.patience) break;
    }
    for (const [i, variable] of [...parameters, ...head.variables].entries()) {
      tf.tidy(() => variable.assign(tf.tensor(best.values[i]!, variable.shape as [number])));
    }
    return { head: head.layers(), bestEpoch: best.epoch, validationLogits: best.logits, rates: rates.taken };
  } finally {
    optimizer.dispose();
    head.dispose();
  }
}

/**
 * Scores before the softmax through top and head, `[rows, K]`; the event loop is given back after each batch.
 */
export async function topLogits(options: {
  engine: Engine;
  network: TopNetwork;
  head: TopHead;
  read: (row: number) => Float32Array;
  dimensions: number;
  rows: ArrayLike<number>;
}): Promise<Float32Array> {
  const { engine, network, head, rows } = options;
  const { tf } = engine;
  const out = new Float32Array(rows.length * head.classes);
  const look = lookOf(network);
  for (let start = 0; start < rows.length; start += look) {
    const part = Int32Array.from({ length: Math.min(look, rows.length - start) }, (_, i) => rows[start + i]!);
    const logits = tf.tidy(() => {
      return head.forward(network.forward(batchOf(options, part), part.length)).dataSync() as Float32Array;
    });
    out.set(logits, start * head.classes);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return out;
}

/** Features through a top, `[rows, D]`. */
export async function topFeatures(options: {
  engine: Engine;
  network: TopNetwork;
  read: (row: number) => Float32Array;
  dimensions: number;
  rows: number;
  features: number;
}): Promise<Float32Array> {
  const { engine, network, rows, features: D } = options;
  const out = new Float32Array(rows * D);
  const look = lookOf(network);
  for (let start = 0; start < rows; start += look) {
    const part = Int32Array.from({ length: Math.min(look, rows - start) }, (_, i) => start + i);
    const features = engine.tf.tidy(
      () => network.forward(batchOf(options, part), part.length).dataSync() as Float32Array,
    );
    out.set(features, start * D);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return out;
}

/** Images of a network in a pass that only looks. */
export function lookOf({ values }: TopNetwork): number {
  return Math.max(1, Math.min(LOOK, Math.floor(PASS_VALUES / values)));
}

/** A head as variables, behind the standardisation. */
export class TopHead {
  readonly variables: Variable[] = [];
  readonly classes: number;
  readonly #tf: Engine['tf'];
  readonly #layers: DenseLayer[];
  readonly #mean: Tensor;
  readonly #scale: Tensor;
  readonly #weightDecay: number;

  constructor(options: {
    engine: Engine;
    head: DenseLayer[];
    mean: Float32Array;
    deviation: Float32Array;
    weightDecay: number;
  }) {
    const { tf } = options.engine;
    this.#tf = tf;
    this.#layers = options.head;
    this.#weightDecay = options.weightDecay;
    this.classes = options.head.at(-1)!.units;
    this.#mean = tf.tensor1d(options.mean);
    this.#scale = tf.tensor1d(options.deviation.map((value) => 1 / value));
    for (const { inputs, units, kernel, bias } of options.head) {
      this.variables.push(tf.tidy(() => tf.variable(tf.tensor2d(kernel, [inputs, units])) as never));
      this.variables.push(tf.tidy(() => tf.variable(tf.tensor1d(bias)) as never));
    }
  }

  /** @param left which units are left out while it is trained @returns logits `[N, K]` */
  forward(features: Tensor2D, left = { dropout: 0, random: Math.random }): Tensor2D {
    const tf = this.#tf;
    let values = tf.mul(tf.sub(features, this.#mean), this.#scale) as Tensor2D;
    for (const [i, { activation }] of this.#layers.entries()) {
      values = tf.add(tf.matMul(values, this.variables[2 * i] as Tensor as Tensor2D), this.variables[2 * i + 1]!);
      if (activation === 'softmax') continue;
      values = tf.relu(values);
      if (left.dropout > 0) values = tf.mul(values, dropoutMask(tf, values.shape, left.dropout, left.random));
    }
    return values;
  }

  /** λ/2 · |W|² of all layers. */
  penalty(): Tensor {
    const tf = this.#tf;
    const squares = this.#layers.map((_, i) => tf.sum(tf.square(this.variables[2 * i]!)));
    return tf.mul(
      squares.reduce((sum, square) => tf.add(sum, square)),
      this.#weightDecay / 2,
    );
  }

  layers(): DenseLayer[] {
    return this.#layers.map((layer, i) => ({
      ...layer,
      kernel: Float32Array.from(this.variables[2 * i]!.dataSync()),
      bias: Float32Array.from(this.variables[2 * i + 1]!.dataSync()),
    }));
  }

  dispose(): void {
    this.#tf.dispose([...this.variables, this.#mean, this.#scale]);
  }
}

/** Rows of what a trunk answered, one below the other. */
export function batchOf(
  { read, dimensions }: { read: (row: number) => Float32Array; dimensions: number },
  rows: Int32Array,
): Float32Array {
  const batch = new Float32Array(rows.length * dimensions);
  rows.forEach((row, i) => {
    batch.set(read(row), i * dimensions);
  });
  return batch;
}
