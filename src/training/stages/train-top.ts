/**
 * Train the top of a backbone with its head.
 *  1. The head starts where it is fitted on the frozen features of the images that are trained on.
 *  2. A watched training finds the number of epochs, on images that it does not see.
 *  3. The final one takes as many epochs, on the images that `refit` names.
 */

import type { DenseLayer } from '../../heads/head.js';
import { seededRandom } from '../../numbers/random.js';
import type { FloatConstant } from '../../onnx/float-constant.js';
import type { Hyperparameters } from '../../schemas/jobs.js';
import type { Curve } from '../../schemas/report.js';
import { fitHead } from '../choose-head/fit-head.js';
import { fixedTo } from '../choose-head/fixed-to.js';
import { type FittedHead, type HeadOptions, heldOutImages, rowWeights } from '../choose-head/head-fit.js';
import { accuracy, fitTemperature, logLoss, type Scored } from '../../numbers/scores.js';
import { fitNetwork, TopHead, topLogits } from '../../top/fit-network.js';
import { TopNetwork } from '../../top/network.js';
import type { TopProgram } from '../../top/program.js';

export interface TopOptions {
  program: TopProgram;
  /** Where the top starts. */
  weights: Map<string, FloatConstant>;
  /** What the trunk answered for a row, `[T]`. */
  read: (row: number) => Float32Array;
  trunkDimensions: number;
  /** Of the features at the start; the samples of `request` are standardised so. */
  mean: Float32Array;
  deviation: Float32Array;
  /** How the head was fitted on the features of the start. */
  request: HeadOptions;
  start: FittedHead;
  /** The user's, of the training of the top. */
  hyperparameters: Hyperparameters;
  onEpoch: (curve: Curve) => void;
  /** Share of the work done, 0 to 1. */
  onProgress: (share: number) => void;
}

/** A trained top and head. */
export interface TrainedTop {
  layers: DenseLayer[];
  weights: Map<string, FloatConstant>;
  /** Scores of images through top and head. */
  score: (images: number[]) => Promise<Scored>;
}

export interface FittedTop extends TrainedTop {
  /** Best on the held-out images; 0: no epoch was better than the frozen backbone. */
  epochs: number;
  fitted: FittedHead;
  /** The same training on other images. */
  again: (images: number[]) => Promise<TrainedTop>;
}

const DEFAULTS = { epochs: 8, batch_size: 32, learning_rate: 1e-4, early_stopping: 3 };
/** Epochs where nothing can be held out to choose them. */
const BLIND_EPOCHS = 3;

/** @throws AppError `training_diverged` */
export async function fitTop(options: TopOptions): Promise<FittedTop> {
  const { request, start } = options;
  const { samples, train, finalFit } = request;
  const K = samples.labels.length;
  const settings = settingsOf(options.hyperparameters);
  const held = heldOutImages(request);
  const out = new Set(held);
  const fit = train.filter((image) => !out.has(image));
  const truth = Int32Array.from(held, (image) => samples.y[image]!);
  const curves: Curve[] = [];
  const same = finalFit.length === fit.length;
  const watched = await training(options, settings, {
    images: fit,
    held,
    epochs: held.length > 0 ? settings.epochs : Math.min(settings.epochs, BLIND_EPOCHS),
    onStep: (share) => options.onProgress(same ? share : share / 2),
    onEpoch: ({ epoch, trainLoss, trainAccuracy, validationLogits }) => {
      const scored = { logits: validationLogits, y: truth, classes: K };
      const curve = {
        epoch,
        train_loss: trainLoss,
        train_accuracy: trainAccuracy,
        validation_loss: held.length > 0 ? logLoss(scored) : null,
        validation_accuracy: held.length > 0 ? accuracy(scored) : null,
      };
      curves.push(curve);
      options.onEpoch(curve);
    },
  });
  const again = async (images: number[]) =>
    training(options, settings, {
      images,
      held: [],
      epochs: watched.epochs,
      onStep: (share) => options.onProgress(0.5 + share / 2),
      onEpoch: () => undefined,
    });
  const final = same || watched.epochs === 0 ? watched : await again(finalFit);
  const heldOut = held.length > 0 ? { logits: watched.validationLogits, y: truth, classes: K } : undefined;
  const weightDecay = Number(start.settings.weight_decay);
  const fitted: FittedHead = {
    kind: start.kind,
    layers: final.layers,
    temperature: heldOut ? fitTemperature(heldOut) : 1,
    heldOut,
    settings: { ...start.settings, ...settings, optimizer: 'adam', epochs: watched.epochs, schedule: settings.epochs },
    candidates: heldOut
      ? [
          {
            head: start.kind,
            weight_decay: weightDecay,
            accuracy: accuracy(heldOut),
            log_loss: logLoss(heldOut),
            trainable: 'top',
          },
        ]
      : [],
    curves,
  };
  return { ...final, epochs: watched.epochs, fitted, again };
}

type Settings = typeof DEFAULTS;

/** What the user set, else the defaults. */
function settingsOf(wanted: Hyperparameters): Settings {
  const names = Object.keys(DEFAULTS) as (keyof Settings)[];
  return Object.fromEntries(
    names.map((name) => [name, typeof wanted[name] === 'number' ? wanted[name] : DEFAULTS[name]]),
  ) as Settings;
}

async function training(
  options: TopOptions,
  settings: Settings,
  run: { images: number[]; held: number[]; epochs: number } & Pick<
    Parameters<typeof fitNetwork>[0],
    'onEpoch' | 'onStep'
  >,
): Promise<TrainedTop & { epochs: number; validationLogits: Float32Array }> {
  const { request, start, program, read, mean, deviation, trunkDimensions: dimensions } = options;
  const { engine, samples } = request;
  const { images, held } = run;
  const { layers } = await fitHead({
    ...request,
    ...fixedTo(start, request.hyperparameters),
    train: images,
    finalFit: images,
    validation: [],
    folds: new Map(),
    onEpoch: () => undefined,
    onProgress: () => undefined,
  });
  const network = new TopNetwork(engine, program, options.weights);
  const inside = new Set(images);
  const shared = { engine, read, dimensions, mean, deviation, weightDecay: Number(start.settings.weight_decay) };
  try {
    const fit = await fitNetwork({
      ...shared,
      network,
      head: layers,
      y: samples.y,
      classes: samples.labels.length,
      train: Int32Array.from(samples.origin.keys()).filter((row) => inside.has(samples.origin[row]!)),
      validation: Int32Array.from(held),
      rowWeights: rowWeights(request, images),
      learningRate: settings.learning_rate,
      pull: 0,
      batchSize: settings.batch_size,
      schedule: settings.epochs,
      epochs: run.epochs,
      // Confidence is set right by the temperature afterwards, so it does not count here.
      judge: (logits) => {
        const scored = {
          logits,
          y: Int32Array.from(held, (image) => samples.y[image]!),
          classes: samples.labels.length,
        };
        return logLoss(scored, fitTemperature(scored));
      },
      patience: settings.early_stopping,
      random: seededRandom(request.seed, 'top'),
      ...(run.onEpoch && { onEpoch: run.onEpoch }),
      ...(run.onStep && { onStep: run.onStep }),
    });
    const weights = network.weights();
    const score = async (rows: number[]) => {
      const trained = new TopNetwork(engine, program, weights);
      const head = new TopHead({ ...shared, head: fit.head });
      try {
        const logits = await topLogits({ ...shared, network: trained, head, rows });
        return { logits, y: Int32Array.from(rows, (row) => samples.y[row]!), classes: samples.labels.length };
      } finally {
        trained.dispose();
        head.dispose();
      }
    };
    return { layers: fit.head, weights, score, epochs: fit.bestEpoch, validationLogits: fit.validationLogits };
  } finally {
    network.dispose();
  }
}
