/**
 * Train the top of a backbone with its head.
 *  1. The head starts where it is fitted on the frozen features of the examples that are trained on.
 *  2. A watched training finds the number of epochs, on examples that it does not see.
 *  3. The final one takes as many epochs, on the examples that `refit` names.
 */

import type { Engine } from '../heads/engine.js';
import type { DenseLayer } from '../heads/head.js';
import type { LearningRateSchedule } from '../heads/learning-rates.js';
import { curveRow } from '../numbers/curve-row.js';
import { seededRandom } from '../numbers/random.js';
import { fitTemperature, logLoss, type Scored } from '../numbers/scores.js';
import type { FloatConstant } from '../onnx/float-constant.js';
import type { Hyperparameters, JobSettings } from '../schemas/jobs.js';
import type { Curve } from '../schemas/report.js';
import { fitNetwork, TopHead, topLogits } from './fit-network.js';
import { TopNetwork } from './network.js';
import type { TopProgram } from './program.js';

export interface TopOptions {
  engine: Engine;
  program: TopProgram;
  /** Where the top starts. */
  weights: Map<string, FloatConstant>;
  /** What the trunk answered for a row, `[T]`. */
  read: (row: number) => Float32Array;
  trunkDimensions: number;
  /** `[rows]` class indices */
  y: Int32Array;
  /** `[rows]`: the example a row was made from; the first rows are the examples themselves, in order. */
  origin: Int32Array;
  classes: number;
  /** Examples to fit on while it is watched, those that it is watched on, and those of the final fit. */
  fit: number[];
  held: number[];
  finalFit: number[];
  /** Of the features at the start; its head takes them standardised so. */
  mean: Float32Array;
  deviation: Float32Array;
  /** Where the head starts: fitted on these examples' features at the start. */
  headOn: (examples: number[]) => Promise<DenseLayer[]>;
  /** λ of the head. */
  weightDecay: number;
  /** Of the units of the head's hidden layers. */
  dropout: number;
  /** Of every row, in a fit on these examples. */
  rowWeights: (examples: number[]) => Float32Array;
  /** What decides about settings that the user leaves out. */
  defaults: Pick<JobSettings, 'trainable' | 'weights'>;
  /** The user's, of the training of the top. */
  hyperparameters: Hyperparameters;
  seed: number;
  onEpoch: (curve: Curve) => void;
  /** Share of the work done, 0 to 1. */
  onProgress: (share: number) => void;
}

/** A trained top and head. */
export interface TrainedTop {
  layers: DenseLayer[];
  weights: Map<string, FloatConstant>;
  /** Scores of examples through top and head. */
  score: (examples: number[]) => Promise<Scored>;
}

export interface FittedTop extends TrainedTop {
  /** Best on the held-out examples; 0: no epoch was better than the frozen backbone. */
  epochs: number;
  /** Scores of `held` in that epoch; undefined where nothing was held out. */
  heldOut: Scored | undefined;
  settings: TopSettings & { schedule: number };
  curves: Curve[];
  /** The same training on other examples. */
  again: (examples: number[]) => Promise<TrainedTop>;
}

export interface TopSettings {
  epochs: number;
  batch_size: number;
  learning_rate: number;
  early_stopping: number;
  learning_rate_schedule: LearningRateSchedule;
}

const DEFAULTS: TopSettings = {
  epochs: 8,
  batch_size: 32,
  learning_rate: 1e-4,
  early_stopping: 3,
  learning_rate_schedule: 'cosine',
};
/** Of a network that starts at random weights, and has everything to learn. */
const FROM_RANDOM: Partial<TopSettings> = { epochs: 30, learning_rate: 5e-4, early_stopping: 8 };
/** Epochs where nothing can be held out to choose them. */
const BLIND_EPOCHS = 3;

/** @throws AppError `training_diverged` */
export async function fitTop(options: TopOptions): Promise<FittedTop> {
  const { y, classes, fit, held, finalFit } = options;
  const settings = settingsOf(options);
  const truth = Int32Array.from(held, (example) => y[example]!);
  const curves: Curve[] = [];
  const same = finalFit.length === fit.length;
  const watched = await training(options, settings, {
    examples: fit,
    held,
    epochs: held.length > 0 ? settings.epochs : Math.min(settings.epochs, BLIND_EPOCHS),
    onStep: (share) => options.onProgress(same ? share : share / 2),
    onEpoch: ({ epoch, trainLoss, trainAccuracy, validationLogits }) => {
      const scored = { logits: validationLogits, y: truth, classes };
      const curve = curveRow(epoch, { loss: trainLoss, accuracy: trainAccuracy }, scored);
      curves.push(curve);
      options.onEpoch(curve);
    },
  });
  const again = async (examples: number[]) =>
    training(options, settings, {
      examples,
      held: [],
      epochs: watched.epochs,
      rates: watched.rates,
      onStep: (share) => options.onProgress(0.5 + share / 2),
      onEpoch: () => undefined,
    });
  const final = same || watched.epochs === 0 ? watched : await again(finalFit);
  return {
    ...final,
    epochs: watched.epochs,
    heldOut: held.length > 0 ? { logits: watched.validationLogits, y: truth, classes } : undefined,
    settings: { ...settings, epochs: watched.epochs, schedule: settings.epochs },
    curves,
    again,
  };
}

/** What the user set, else the defaults. */
function settingsOf({ hyperparameters: wanted, defaults: of }: TopOptions): TopSettings {
  const anew = of.trainable === 'all' && of.weights === 'random';
  const defaults = { ...DEFAULTS, ...(anew && FROM_RANDOM) };
  const names = Object.keys(DEFAULTS) as (keyof TopSettings)[];
  const entries = names.map((name) => [
    name,
    wanted[name] === undefined || wanted[name] === 'auto' ? defaults[name] : wanted[name],
  ]);
  return Object.fromEntries(entries) as TopSettings;
}

async function training(
  options: TopOptions,
  settings: TopSettings,
  run: { examples: number[]; held: number[]; epochs: number; rates?: readonly number[] } & Pick<
    Parameters<typeof fitNetwork>[0],
    'onEpoch' | 'onStep'
  >,
): Promise<TrainedTop & { epochs: number; validationLogits: Float32Array; rates: number[] }> {
  const { engine, program, read, y, classes, trunkDimensions: dimensions } = options;
  const { examples, held } = run;
  const layers = await options.headOn(examples);
  const network = new TopNetwork(engine, program, options.weights);
  const inside = new Set(examples);
  const { mean, deviation, weightDecay } = options;
  const shared = { engine, read, dimensions, mean, deviation, weightDecay };
  const scoredBy = (rows: number[], logits: Float32Array): Scored => ({
    logits,
    y: Int32Array.from(rows, (row) => y[row]!),
    classes,
  });
  try {
    const fit = await fitNetwork({
      ...shared,
      network,
      head: layers,
      y,
      classes,
      train: Int32Array.from(options.origin.keys()).filter((row) => inside.has(options.origin[row]!)),
      validation: Int32Array.from(held),
      rowWeights: options.rowWeights(examples),
      learningRate: settings.learning_rate,
      learningRateSchedule: settings.learning_rate_schedule,
      ...(run.rates && { rates: run.rates }),
      dropout: layers.length > 1 ? options.dropout : 0,
      batchSize: settings.batch_size,
      schedule: settings.epochs,
      epochs: run.epochs,
      // Confidence is set right by the temperature afterwards, so it does not count here.
      judge: (logits) => {
        const scored = scoredBy(held, logits);
        return logLoss(scored, fitTemperature(scored));
      },
      patience: settings.early_stopping,
      random: seededRandom(options.seed, 'top'),
      ...(run.onEpoch && { onEpoch: run.onEpoch }),
      ...(run.onStep && { onStep: run.onStep }),
    });
    const weights = network.weights();
    const score = async (rows: number[]) => {
      const trained = new TopNetwork(engine, program, weights);
      const head = new TopHead({ ...shared, head: fit.head });
      try {
        return scoredBy(rows, await topLogits({ ...shared, network: trained, head, rows }));
      } finally {
        trained.dispose();
        head.dispose();
      }
    };
    const { bestEpoch: epochs, validationLogits, rates } = fit;
    return { layers: fit.head, weights, score, epochs, validationLogits, rates };
  } finally {
    network.dispose();
  }
}
