/**
 * Choose and fit a head.
 *  1. Settings left on `auto` are chosen on images that the candidate fits do not see: the validation part, or folds of a
 *     cross-validation.
 *  2. Their scores give the temperature.
 *  3. The head is fitted again on the images that `refit` names, with the settings chosen.
 */
import type { Curve, HeadKind, Hyperparameters, JobSettings, Report } from '../schemas.js';
import type { Engine } from '../vision/engine.js';
import type { DenseLayer } from '../vision/head.js';
import { headLogits } from '../vision/head-logits.js';
import { fitPerceptron } from '../vision/perceptron.js';
import { type SoftmaxFit, SoftmaxRegression } from '../vision/softmax-regression.js';
import { accuracy, fitTemperature, logLoss, type Scored } from './evaluate.js';
import { seededRandom } from './random.js';

/** Feature vectors of images and of their varied copies. */
export interface Samples {
  /** float32 `[rows, D]`, standardised */
  x: Float32Array;
  /** `[rows]` class indices */
  y: Int32Array;
  /** `[rows]`: the image a row was made from; the first rows are the images themselves, in order. */
  origin: Int32Array;
  dimensions: number;
  labels: string[];
}

export interface HeadOptions {
  engine: Engine;
  samples: Samples;
  /** Images to fit on. */
  train: number[];
  /** Images to choose settings on; empty: cross-validation by `folds`. */
  validation: number[];
  /** Per training image the fold in which it is held out, −1 for never; empty where there is nothing to hold out. */
  folds: Map<number, number>;
  foldCount: number;
  /** Images of the final fit. */
  finalFit: number[];
  head: NonNullable<JobSettings['head']>;
  hyperparameters: Hyperparameters;
  seed: number;
  onEpoch: (head: HeadKind, curve: Curve) => void;
  /** Share of the work done, 0 to 1. */
  onProgress: (share: number) => void;
}

type HeadCandidate = Report['candidates'][number];

export interface FittedHead {
  kind: HeadKind;
  /** Of the final fit; take standardised features. */
  layers: DenseLayer[];
  temperature: number;
  /** Scores of images that the fit that scored them did not see; none where there was nothing to hold out. */
  heldOut: Scored | undefined;
  settings: Record<string, unknown>;
  candidates: Report['candidates'];
  curves: Curve[];
}

/** λ, from much to little. On standardised features the best of real data sets lies between 1 and 0.01. */
const PENALTIES = [3, 1, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0003];
/** Where nothing can be held out: firm, since the classes then have one or two images. */
const BLIND_PENALTY = 1;
/** Below this the linear head wins or ties on every data set tried, and a trial costs more than all of its fit. */
const PERCEPTRON_TRIAL_IMAGES = 2000;

export async function fitHead(options: HeadOptions): Promise<FittedHead> {
  const { hidden_units: units, dropout, optimizer } = options.hyperparameters;
  // What belongs to one kind of head chooses it.
  if (options.head === 'mlp' || (options.head === 'auto' && (isSet(units) || isSet(dropout)))) return fitMlp(options);
  if (options.head === 'linear' || optimizer === 'lbfgs') return fitLinear(options);
  const linear = await fitLinear(options);
  if (options.train.length < PERCEPTRON_TRIAL_IMAGES || heldOutImages(options).length === 0) return linear;
  const mlp = await fitMlp(options);
  const [second] = mlp.candidates as [HeadCandidate];
  const best = linear.candidates.reduce((most, row) => (row.accuracy > most.accuracy ? row : most));
  const margin = Math.sqrt((best.accuracy * (1 - best.accuracy)) / Math.max(1, heldOutImages(options).length));
  const chosen = second.accuracy > best.accuracy + margin ? mlp : linear;
  return { ...chosen, candidates: [...linear.candidates, ...mlp.candidates] };
}

/** Weight of every row in a fit on these images. */
export function rowWeights(options: HeadOptions, images: number[]): Float32Array {
  const { samples, hyperparameters } = options;
  const inside = new Set(images);
  const perClass = classWeights(samples, images, hyperparameters.class_weights);
  return Float32Array.from(samples.origin, (image, row) => (inside.has(image) ? perClass[samples.y[row]!]! : 0));
}

function classWeights(samples: Samples, images: number[], choice: Hyperparameters['class_weights']): number[] {
  if (choice === 'balanced') {
    const counts = new Array<number>(samples.labels.length).fill(0);
    for (const image of images) counts[samples.y[image]!]! += 1;
    return counts.map((count) => (count === 0 ? 0 : images.length / (counts.length * count)));
  }
  if (typeof choice === 'object') {
    const given = new Map(Object.entries(choice));
    return samples.labels.map((label) => given.get(label) ?? 1);
  }
  return samples.labels.map(() => 1);
}

/** Images that choose settings in one fit: the validation part, or the first fold. */
export function heldOutImages({ validation, folds }: HeadOptions): number[] {
  return validation.length > 0 ? validation : [...folds].filter(([, fold]) => fold === 0).map(([image]) => image);
}

const isSet = <T>(value: T | 'auto' | undefined): value is T => value !== undefined && value !== 'auto';

async function fitLinear(options: HeadOptions): Promise<FittedHead> {
  const { hyperparameters: wanted } = options;
  const optimizer = isSet(wanted.optimizer)
    ? wanted.optimizer
    : isSet(wanted.learning_rate) || isSet(wanted.batch_size)
      ? 'adam'
      : 'lbfgs';
  return optimizer === 'adam' ? fitByAdam(options, 'linear') : fitByLbfgs(options);
}

function fitMlp(options: HeadOptions): Promise<FittedHead> {
  return fitByAdam(options, 'mlp');
}

async function fitByLbfgs(options: HeadOptions): Promise<FittedHead> {
  const { samples, train, validation, folds, foldCount, hyperparameters: wanted } = options;
  const [K, D] = [samples.labels.length, samples.dimensions];
  const { x, y } = samples;
  const regression = new SoftmaxRegression({ x, y, dimensions: D, classes: K });
  const held = validation.length > 0 ? validation : train.filter((image) => (folds.get(image) ?? -1) >= 0);
  const rounds =
    validation.length > 0
      ? [{ fit: train, held: validation }]
      : Array.from({ length: held.length > 0 ? foldCount : 0 }, (_, fold) => ({
          fit: train.filter((image) => folds.get(image) !== fold),
          held: train.filter((image) => folds.get(image) === fold),
        }));
  const weights = rounds.map(({ fit }) => rowWeights(options, fit));
  const truth = Int32Array.from(held, (image) => y[image]!);
  const place = new Map(held.map((image, index) => [image, index]));
  const starts: (SoftmaxFit | undefined)[] = rounds.map(() => undefined);
  const maxIterations = isSet(wanted.epochs) ? wanted.epochs : 1000;

  const penalties = isSet(wanted.weight_decay) ? [wanted.weight_decay] : rounds.length ? PENALTIES : [BLIND_PENALTY];
  const tried: { weightDecay: number; scored: Scored; accuracy: number; loss: number }[] = [];
  for (const weightDecay of rounds.length > 0 ? penalties : []) {
    const logits = new Float32Array(held.length * K);
    for (const [round, part] of rounds.entries()) {
      const start = starts[round];
      const fitted = await regression.fit({
        imageWeights: weights[round]!,
        weightDecay,
        maxIterations,
        tolerance: 1e-4,
        ...(start && { start }),
      });
      starts[round] = fitted;
      for (const image of part.held)
        logits.set(fitted.logits.subarray(image * K, (image + 1) * K), place.get(image)! * K);
    }
    const scored = { logits, y: truth, classes: K };
    tried.push({ weightDecay, scored, accuracy: accuracy(scored), loss: logLoss(scored) });
    options.onProgress((0.8 * tried.length) / penalties.length);
    if (isPastBest(tried)) break;
  }
  const chosen = tried.length > 0 ? choose(tried) : undefined;
  const weightDecay = chosen?.weightDecay ?? penalties[0]!;

  const curve = await lbfgsCurve(options, regression, weightDecay, maxIterations);
  const final = await regression.fit({
    imageWeights: rowWeights(options, options.finalFit),
    weightDecay,
    maxIterations: curve.bestIteration ?? maxIterations,
    tolerance: 1e-5,
  });
  options.onProgress(1);
  const kernel = new Float32Array(D * K);
  for (let k = 0; k < K; k += 1) for (let d = 0; d < D; d += 1) kernel[d * K + k] = final.weights[k * D + d]!;
  return {
    kind: 'linear',
    layers: [{ inputs: D, units: K, kernel, bias: final.bias.slice(), activation: 'softmax' }],
    temperature: chosen ? fitTemperature(chosen.scored) : 1,
    heldOut: chosen?.scored,
    settings: { head: 'linear', optimizer: 'lbfgs', weight_decay: weightDecay, epochs: final.iterations },
    candidates: tried.map((row) => ({
      head: 'linear',
      weight_decay: row.weightDecay,
      accuracy: row.accuracy,
      log_loss: row.loss,
    })),
    curves: curve.curves,
  };
}

/**
 * Of all within one standard error of the best accuracy, the one with the least loss: accuracy alone is noisy (it chose
 * up to 3 points worse on unseen images of small data sets).
 */
function choose<T extends { accuracy: number; loss: number; scored: Scored }>(tried: T[]): T {
  const best = Math.max(...tried.map((row) => row.accuracy));
  const error = Math.sqrt((best * (1 - best)) / tried[0]!.scored.y.length);
  return tried
    .filter((row) => row.accuracy >= best - error)
    .reduce((least, row) => (row.loss < least.loss ? row : least));
}

/** Two penalties in a row that were worse in both accuracy and loss: smaller ones will be, too. */
function isPastBest(tried: { accuracy: number; loss: number }[]): boolean {
  if (tried.length < 3) return false;
  const earlier = tried.slice(0, -2);
  const bestAccuracy = Math.max(...earlier.map((row) => row.accuracy));
  const leastLoss = Math.min(...earlier.map((row) => row.loss));
  return tried.slice(-2).every((row) => row.accuracy < bestAccuracy && row.loss > leastLoss);
}

/** One more fit with the chosen penalty, watched: the curves of the report, and the iteration to stop at if asked. */
async function lbfgsCurve(
  options: HeadOptions,
  regression: SoftmaxRegression,
  weightDecay: number,
  maxIterations: number,
): Promise<{ curves: Curve[]; bestIteration: number | undefined }> {
  const { samples, train, hyperparameters: wanted, onEpoch } = options;
  const K = samples.labels.length;
  const held = heldOutImages(options);
  const out = new Set(held);
  const fit = held.length > 0 ? train.filter((image) => !out.has(image)) : train;
  const scoresOf = (logits: Float32Array, images: number[]): Scored => {
    const part = new Float32Array(images.length * K);
    images.forEach((image, i) => {
      part.set(logits.subarray(image * K, (image + 1) * K), i * K);
    });
    return { logits: part, y: Int32Array.from(images, (image) => samples.y[image]!), classes: K };
  };
  const patience = isSet(wanted.early_stopping) ? wanted.early_stopping : 0;
  const curves: Curve[] = [];
  let best = { iteration: 0, loss: Number.POSITIVE_INFINITY };
  await regression.fit({
    imageWeights: rowWeights(options, fit),
    weightDecay,
    maxIterations,
    tolerance: 1e-4,
    onIteration: ({ iteration, logits }) => {
      const [trained, checked] = [scoresOf(logits, fit), scoresOf(logits, held)];
      const curve = {
        epoch: iteration,
        train_loss: logLoss(trained),
        train_accuracy: accuracy(trained),
        validation_loss: held.length > 0 ? logLoss(checked) : null,
        validation_accuracy: held.length > 0 ? accuracy(checked) : null,
      };
      curves.push(curve);
      onEpoch('linear', curve);
      if (curve.validation_loss !== null && curve.validation_loss < best.loss) {
        best = { iteration, loss: curve.validation_loss };
      }
      return !(patience > 0 && held.length > 0 && iteration - best.iteration >= patience);
    },
  });
  return { curves, bestIteration: patience > 0 && best.iteration > 0 ? best.iteration : undefined };
}

async function fitByAdam(options: HeadOptions, kind: HeadKind): Promise<FittedHead> {
  const { engine, samples, train, hyperparameters: wanted, seed, onEpoch } = options;
  const { x, y, dimensions, origin } = samples;
  const K = samples.labels.length;
  const held = heldOutImages(options);
  const out = new Set(held);
  const fit = held.length > 0 ? train.filter((image) => !out.has(image)) : train;
  const rowsOf = (images: number[]) => {
    const inside = new Set(images);
    return Int32Array.from(origin.keys()).filter((row) => inside.has(origin[row]!));
  };
  const settings = {
    epochs: isSet(wanted.epochs) ? wanted.epochs : 60,
    batch_size: isSet(wanted.batch_size) ? wanted.batch_size : Math.min(256, Math.max(16, Math.ceil(fit.length / 20))),
    learning_rate: isSet(wanted.learning_rate) ? wanted.learning_rate : 1e-3,
    weight_decay: isSet(wanted.weight_decay) ? wanted.weight_decay : 1e-3,
    early_stopping: isSet(wanted.early_stopping) ? wanted.early_stopping : 8,
    dropout: kind === 'mlp' ? (isSet(wanted.dropout) ? wanted.dropout : 0.5) : 0,
    hidden_units: kind === 'mlp' ? (isSet(wanted.hidden_units) ? wanted.hidden_units : 256) : 0,
  };
  const shared = {
    engine,
    x,
    y,
    dimensions,
    classes: K,
    hiddenUnits: settings.hidden_units,
    dropout: settings.dropout,
    learningRate: settings.learning_rate,
    weightDecay: settings.weight_decay,
    batchSize: settings.batch_size,
  };
  const heldRows = Int32Array.from(held);
  const truth = heldRows.map((row) => y[row]!);
  const curves: Curve[] = [];
  const watched = await fitPerceptron({
    ...shared,
    train: rowsOf(fit),
    validation: heldRows,
    imageWeights: rowWeights(options, fit),
    epochs: settings.epochs,
    patience: settings.early_stopping,
    random: seededRandom(seed, `${kind} watched`),
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
      onEpoch(kind, curve);
      options.onProgress((0.5 * epoch) / settings.epochs);
    },
  });
  const heldOut =
    held.length > 0
      ? { logits: headLogits({ engine, layers: watched.layers, x, rows: heldRows }), y: truth, classes: K }
      : undefined;
  const same = options.finalFit.length === fit.length && held.length === 0;
  const final = same
    ? watched
    : await fitPerceptron({
        ...shared,
        train: rowsOf(options.finalFit),
        validation: new Int32Array(0),
        imageWeights: rowWeights(options, options.finalFit),
        epochs: watched.bestEpoch,
        patience: 0,
        random: seededRandom(seed, `${kind} final`),
        onEpoch: ({ epoch }) => options.onProgress(0.5 + (0.5 * epoch) / watched.bestEpoch),
      });
  const { weight_decay: weightDecay } = settings;
  return {
    kind,
    layers: final.layers,
    temperature: heldOut ? fitTemperature(heldOut) : 1,
    heldOut,
    settings: { head: kind, optimizer: 'adam', ...settings, epochs: same ? settings.epochs : watched.bestEpoch },
    candidates: heldOut
      ? [{ head: kind, weight_decay: weightDecay, accuracy: accuracy(heldOut), log_loss: logLoss(heldOut) }]
      : [],
    curves,
  };
}

/** The settings that were chosen, as if the user had set them. */
export function fixedTo(fitted: FittedHead, wanted: Hyperparameters) {
  const { head: _head, optimizer, ...chosen } = fitted.settings;
  const lbfgs = optimizer === 'lbfgs';
  return {
    head: fitted.kind,
    hyperparameters: {
      ...wanted,
      optimizer: optimizer as 'lbfgs' | 'adam',
      ...(lbfgs
        ? { weight_decay: chosen.weight_decay as number, epochs: chosen.epochs as number, early_stopping: 0 }
        : (chosen as Hyperparameters)),
    },
  };
}
