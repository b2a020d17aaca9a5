/**
 * A classifier with hidden layers: softmax(W₂ · relu(W₁ x + b₁) + b₂) with one, trained by Adam on mini-batches with dropout
 * and an L2 penalty. The gradients are written out: the engine's own multiply transposed operands on a slow path.
 * Also trains the softmax layer alone (no `hiddenUnits`), for those who ask for Adam. Sparse rows are made dense batch by
 * batch (`dense-batches.ts`).
 */
import { AppError } from '../errors.js';
import { shuffle } from '../numbers/random.js';
import { logLoss } from '../numbers/scores.js';
import type { DenseLayer } from './head.js';
import { type LearningRateSchedule, LearningRates } from './learning-rates.js';
import { type NetworkOptions, PerceptronNetwork } from './perceptron-network.js';

export interface PerceptronOptions extends NetworkOptions {
  /** Rows that decide when to stop; may be empty. */
  validation: Int32Array;
  batchSize: number;
  epochs: number;
  /** Epochs without a better validation loss before stopping; 0: never. */
  patience: number;
  schedule: LearningRateSchedule;
  /** Rates of the epochs of an earlier fit, where the schedule is `plateau`. */
  rates?: readonly number[];
  onEpoch?: (epoch: PerceptronEpoch) => void;
}

export interface PerceptronEpoch {
  epoch: number;
  trainLoss: number;
  trainAccuracy: number;
  /** Scores of the validation rows, `[n, K]` logits; empty without them. */
  validationLogits: Float32Array;
}

export interface Perceptron {
  /** The layers of the best epoch on validation (else the last), softmax last. */
  layers: DenseLayer[];
  bestEpoch: number;
  /** Of each epoch, where the schedule is `plateau`. */
  rates: number[];
}

/** Fit; the event loop is given back after each epoch. @throws AppError `training_diverged` */
export async function fitPerceptron(options: PerceptronOptions): Promise<Perceptron> {
  const { y, classes: K, validation, patience, random } = options;
  const network = new PerceptronNetwork(options);
  const order = options.train.slice();
  const truth = validation.map((row) => y[row]!);
  const { learningRate: rate, schedule, epochs, rates: given } = options;
  const rates = new LearningRates({ rate, schedule, epochs, ...(given && { given }) });
  let best = { epoch: 0, loss: Number.POSITIVE_INFINITY, values: undefined as Float32Array[] | undefined };
  try {
    for (let epoch = 1; epoch <= options.epochs; epoch += 1) {
      const setRate = (done: number) => {
        network.learningRate = rates.at(epoch, done);
      };
      const { loss, hits } = trainEpoch(network, shuffle(order, random), { batchSize: options.batchSize, setRate });
      if (!Number.isFinite(loss)) {
        throw new AppError('training_diverged', `The training diverged in epoch ${epoch}. Lower learning_rate.`);
      }
      const validationLogits = network.logits(validation);
      options.onEpoch?.({
        epoch,
        trainLoss: loss / order.length,
        trainAccuracy: hits / order.length,
        validationLogits,
      });
      const seen = validation.length > 0 ? logLoss({ logits: validationLogits, y: truth, classes: K }) : undefined;
      rates.observe(seen);
      const score = seen ?? -epoch;
      if (score < best.loss || best.values === undefined) {
        best = { epoch, loss: score, values: await network.values() };
      }
      if (patience > 0 && validation.length > 0 && epoch - best.epoch >= patience) break;
      await new Promise((resolve) => setImmediate(resolve));
    }
    return { layers: network.layers(best.values!), bestEpoch: best.epoch, rates: rates.taken };
  } finally {
    network.dispose();
  }
}

/** Sums over all rows. */
function trainEpoch(
  network: PerceptronNetwork,
  order: Int32Array,
  { batchSize, setRate }: { batchSize: number; setRate: (done: number) => void },
): { loss: number; hits: number } {
  const size = Math.min(batchSize, Math.max(1, order.length));
  let [loss, hits] = [0, 0];
  for (let start = 0; start < order.length; start += size) {
    const batch = order.subarray(start, start + size);
    setRate(start / order.length);
    const done = network.step(batch);
    loss += done.loss * batch.length;
    hits += done.hits;
  }
  return { loss, hits };
}
