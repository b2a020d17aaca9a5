/**
 * A classifier with one hidden layer: softmax(W₂ · relu(W₁ x + b₁) + b₂), trained by Adam on mini-batches with dropout
 * and an L2 penalty. The gradients are written out: the engine's own multiply transposed operands on a slow path.
 * Also trains the softmax layer alone (`hiddenUnits: 0`), for those who ask for Adam.
 */
import type { Tensor2D, Variable } from '@tensorflow/tfjs-core';
import { AppError } from '../errors.js';
import { type Features, onlyDense } from '../numbers/features.js';
import { gaussianFrom, shuffle } from '../numbers/random.js';
import { logLoss } from '../numbers/scores.js';
import type { Engine } from './engine.js';
import type { DenseLayer } from './head.js';

export interface PerceptronOptions {
  engine: Engine;
  /** Standardised. */
  features: Features;
  /** `[N]`, class indices below `classes` */
  y: Int32Array;
  classes: number;
  /** Images to train on, and those that decide when to stop (may be empty). */
  train: Int32Array;
  validation: Int32Array;
  /** `[N]` */
  rowWeights: Float32Array;
  hiddenUnits: number;
  dropout: number;
  learningRate: number;
  /** λ in mean loss + λ/2 · |W|² */
  weightDecay: number;
  batchSize: number;
  epochs: number;
  /** Epochs without a better validation loss before stopping; 0: never. */
  patience: number;
  /** Uniform numbers in [0, 1). */
  random: () => number;
  onEpoch?: (epoch: PerceptronEpoch) => void;
}

export interface PerceptronEpoch {
  epoch: number;
  trainLoss: number;
  trainAccuracy: number;
  /** Scores of the validation images, `[n, K]` logits; empty without them. */
  validationLogits: Float32Array;
}

export interface Perceptron {
  /** The layers of the best epoch on validation (else the last), softmax last. */
  layers: DenseLayer[];
  bestEpoch: number;
}

/** Fit; the event loop is given back after each epoch. @throws AppError `training_diverged` */
export async function fitPerceptron(options: PerceptronOptions): Promise<Perceptron> {
  const { values: x, columns: D } = onlyDense(options.features);
  const { engine, y, classes: K, train, validation, hiddenUnits: H, random } = options;
  const { tf } = engine;
  const gaussian = gaussianFrom(random);
  // He initialisation for the relu layer, small weights for the softmax layer.
  const initial = (rows: number, columns: number, deviation: number) =>
    variableOf(
      tf,
      Float32Array.from({ length: rows * columns }, () => deviation * gaussian()),
      [rows, columns],
    );
  const zeros = (columns: number) => variableOf(tf, new Float32Array(columns), [1, columns]);
  const hidden = H > 0 ? { w: initial(D, H, Math.sqrt(2 / D)), b: zeros(H) } : undefined;
  const output = { w: initial(H || D, K, 0.01), b: zeros(K) };
  const optimizer = tf.train.adam(options.learningRate);
  const variables = [...(hidden ? [hidden.w, hidden.b] : []), output.w, output.b];
  const order = train.slice();
  const truth = validation.map((image) => y[image]!);
  const batchSize = Math.min(options.batchSize, Math.max(1, train.length));
  let best = { epoch: 0, loss: Number.POSITIVE_INFINITY, values: undefined as Float32Array[] | undefined };

  const rows = (indices: Int32Array) => {
    const part = new Float32Array(indices.length * D);
    indices.forEach((image, i) => {
      part.set(x.subarray(image * D, image * D + D), i * D);
    });
    return tf.tensor2d(part, [indices.length, D]);
  };
  const forward = (input: Tensor2D, mask?: Tensor2D) => {
    const active = hidden && (tf.relu(tf.add(tf.matMul(input, hidden.w as Tensor2D), hidden.b)) as Tensor2D);
    const kept = active && mask ? (tf.mul(active, mask) as Tensor2D) : active;
    return {
      kept: kept ?? input,
      logits: tf.add(tf.matMul(kept ?? input, output.w as Tensor2D), output.b) as Tensor2D,
    };
  };

  const step = (indices: Int32Array): { loss: number; hits: number } => {
    const n = indices.length;
    const oneHot = new Float32Array(n * K);
    const weights = new Float32Array(n);
    indices.forEach((image, i) => {
      oneHot[i * K + y[image]!] = 1;
      weights[i] = options.rowWeights[image]! / n;
    });
    const masked = hidden !== undefined && options.dropout > 0;
    const [keep, scale] = [1 - options.dropout, 1 / (1 - options.dropout)];
    const [loss, hits] = tf.tidy(() => {
      const input = rows(indices);
      const target = tf.tensor2d(oneHot, [n, K]);
      const weight = tf.tensor2d(weights, [n, 1]);
      const mask = masked
        ? tf.tensor2d(
            Float32Array.from({ length: n * H }, () => (random() < keep ? scale : 0)),
            [n, H],
          )
        : undefined;
      const { kept, logits } = forward(input, mask);
      const logProbabilities = tf.logSoftmax(logits);
      const error = tf.mul(tf.sub(tf.exp(logProbabilities), target), weight) as Tensor2D; // [n, K]
      const penalty = (gradient: Tensor2D, w: Variable) => tf.add(gradient, tf.mul(w, options.weightDecay));
      const gradients = [penalty(tf.matMul(tf.transpose(kept) as Tensor2D, error), output.w), tf.sum(error, 0, true)];
      if (hidden) {
        const back = tf.matMul(error, tf.transpose(output.w) as Tensor2D); // [n, H]
        // kept > 0 exactly where the unit was active and not dropped; the mask's scale applies there again.
        const gate = tf.mul(tf.cast(tf.greater(kept, 0), 'float32'), masked ? scale : 1);
        const inner = tf.mul(back, gate) as Tensor2D;
        gradients.unshift(penalty(tf.matMul(tf.transpose(input) as Tensor2D, inner), hidden.w), tf.sum(inner, 0, true));
      }
      optimizer.applyGradients(variables.map((variable, i) => ({ name: variable.name, tensor: gradients[i]! })));
      const surprise = tf.neg(tf.sum(tf.mul(tf.mul(target, logProbabilities), weight)));
      const right = tf.sum(tf.cast(tf.equal(tf.argMax(logits, 1), tf.argMax(target, 1)), 'float32'));
      return [surprise.dataSync()[0]!, right.dataSync()[0]!];
    });
    return { loss, hits };
  };

  const logitsOf = (indices: Int32Array) => {
    const out = new Float32Array(indices.length * K);
    for (let start = 0; start < indices.length; start += 4096) {
      const part = indices.subarray(start, start + 4096);
      out.set(
        tf.tidy(() => forward(rows(part)).logits.dataSync() as Float32Array),
        start * K,
      );
    }
    return out;
  };

  try {
    for (let epoch = 1; epoch <= options.epochs; epoch += 1) {
      shuffle(order, random);
      let [loss, hits] = [0, 0];
      for (let start = 0; start < order.length; start += batchSize) {
        const batch = order.subarray(start, start + batchSize);
        const done = step(batch);
        loss += done.loss * batch.length;
        hits += done.hits;
      }
      if (!Number.isFinite(loss)) {
        throw new AppError('training_diverged', `The training diverged in epoch ${epoch}. Lower learning_rate.`);
      }
      const validationLogits = logitsOf(validation);
      options.onEpoch?.({
        epoch,
        trainLoss: loss / order.length,
        trainAccuracy: hits / order.length,
        validationLogits,
      });
      const score = validation.length > 0 ? logLoss({ logits: validationLogits, y: truth, classes: K }) : -epoch;
      if (score < best.loss || best.values === undefined) {
        const values = await Promise.all(variables.map((variable) => variable.data() as Promise<Float32Array>));
        best = { epoch, loss: score, values: values.map((value) => value.slice()) };
      }
      if (options.patience > 0 && validation.length > 0 && epoch - best.epoch >= options.patience) break;
      await new Promise((resolve) => setImmediate(resolve));
    }
    const values = best.values!;
    const softmax = (kernel: Float32Array, bias: Float32Array): DenseLayer => ({
      inputs: H || D,
      units: K,
      kernel,
      bias,
      activation: 'softmax',
    });
    const layers: DenseLayer[] = hidden
      ? [
          { inputs: D, units: H, kernel: values[0]!, bias: values[1]!, activation: 'relu' },
          softmax(values[2]!, values[3]!),
        ]
      : [softmax(values[0]!, values[1]!)];
    return { layers, bestEpoch: best.epoch };
  } finally {
    optimizer.dispose();
    tf.dispose(variables);
  }
}

/** A variable is not disposed of by `tidy`; the tensor it starts from must be. */
function variableOf(tf: Engine['tf'], values: Float32Array, shape: [number, number]): Variable {
  return tf.tidy(() => tf.variable(tf.tensor2d(values, shape)) as never);
}
