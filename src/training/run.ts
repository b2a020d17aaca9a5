/**
 * training/ makes a version out of a data set. A training is a run that does not change, and stages that each take it with
 * what earlier stages answered, and answer something new (`run-training.ts` has them in order, stages/ holds one a file). What
 * two stages need lies here or in a sub-room: extract/ (content → features), choose-head/ (features → head), doctor/ (what is
 * wrong with the data). Arithmetic lies in numbers/, how a head computes in heads/, the trained top of a backbone in top/.
 *
 * This file: the run, and what passes between stages.
 */
import type { Backbones } from '../backbones/backbones.js';
import type { Backbone } from '../backbones/contract.js';
import type { FeatureCache } from '../backbones/feature-cache.js';
import type { Modality } from '../backbones/modality.js';
import type { Datasets, OpenDataset } from '../datasets/datasets.js';
import type { DenseLayer } from '../heads/head.js';
import type { Scored } from '../numbers/scores.js';
import type { Standard } from '../numbers/standardise.js';
import type { Registry } from '../registry/registry.js';
import type { Split } from '../schemas/common.js';
import type { LabelledExample, RefusedFile } from '../schemas/datasets.js';
import type { Augmentation, Hyperparameters, JobSettings } from '../schemas/jobs.js';
import type { Evaluation } from '../schemas/report.js';
import type { VersionManifest } from '../schemas/versions.js';
import type { TrainableTop } from '../top/cut-backbone.js';
import type { FittedHead, HeadOptions } from './choose-head/contract.js';
import type { Samples } from './choose-head/samples.js';
import type { Listeners, Progress } from './progress.js';

export interface TrainingOptions extends Listeners {
  tenant: string;
  job: string;
  dataset: string;
  settings: JobSettings & { backbone: string };
  datasets: Pick<Datasets, 'open'>;
  registry: Registry;
  backbones: Backbones;
  cache: FeatureCache;
}

/** What holds from the first stage to the last. */
export interface Run extends Omit<TrainingOptions, 'dataset' | 'datasets' | keyof Listeners> {
  readonly dataset: OpenDataset;
  /** Those of the data set that have one label. */
  readonly examples: LabelledExample[];
  /** In the order of the outputs. */
  readonly labels: string[];
  readonly seed: number;
  /** What the user set for the head; of a run that trains the top, what steers Adam is the top's. */
  readonly hyperparameters: Hyperparameters;
  readonly augmentation: Augmentation | undefined;
  /** What the data set holds and the backbone takes. */
  readonly modality: Modality;
  readonly progress: Progress;
}

/** Indices of examples by part; together they are all examples. */
export interface Parts {
  source: 'given' | 'seeded';
  train: number[];
  validation: number[];
  test: number[];
  /** null: the test part is a given one. */
  testFraction: number | null;
  /** null: settings are chosen by cross-validation, or on a given part. */
  validationFraction: number | null;
}

/** The backbone of a run, and where it is cut if its top is trained. */
export interface Networks {
  backbone: Backbone;
  top: TrainableTop | undefined;
}

/** What the backbone says of the examples. */
export interface ExtractedExamples {
  /** Those whose content could be read. From here on an example is its index in this list. */
  examples: LabelledExample[];
  parts: Record<Split, number[]>;
  samples: Samples;
  /** What was done to their features; it comes from the training and validation parts. */
  standard: Standard;
  /** What the trunk answers for a row of the samples, where the top is trained. */
  readTrunk: ((row: number) => Float32Array) | undefined;
  skipped: RefusedFile[];
  cached: number;
  perSecond: number | null;
  seconds: number;
}

/** A head, and a top where one was trained with it. */
export interface Trained {
  fitted: FittedHead;
  /** How its head was chosen: the same again, on other examples, is a change of this. */
  request: HeadOptions;
  /** Of the features that its head takes. */
  standard: Standard;
  /** Examples of the final fit. */
  fittedOn: number[];
  /** Scores of the test part, by a fit that has not seen it. */
  tested: Scored | undefined;
  top: { cut: NonNullable<VersionManifest['top']>; files: { index: string; weights: Uint8Array } } | undefined;
  /** The same fitted again, with the settings chosen, on other examples. */
  again: (examples: number[]) => Promise<Pick<Trained, 'top'> & { layers: DenseLayer[] }>;
}

/** What a version said of examples that it had not seen. */
export interface HeldOutAnswers {
  on: Evaluation['on'];
  examples: number[];
  /** One row per example. */
  scored: Scored;
  temperature: number;
}

/** How good a version is; null and undefined where nothing could be held out. */
export interface Measured {
  evaluation: Evaluation | null;
  answers: HeldOutAnswers | undefined;
}
