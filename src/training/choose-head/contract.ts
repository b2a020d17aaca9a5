/**
 * choose-head/ fits heads on features and chooses among them and their settings, on examples that the fits have not seen. How a
 * kind of head computes lies in heads/; when a head is chosen is a stage of training.
 */
/** What every kind of fit is given, and what it answers. */
import type { Engine } from '../../heads/engine.js';
import type { DenseLayer } from '../../heads/head.js';
import type { HeadKind } from '../../schemas/common.js';
import type { Hyperparameters, JobSettings } from '../../schemas/jobs.js';
import type { Curve, Report } from '../../schemas/report.js';
import type { Scored } from '../../numbers/scores.js';
import type { Samples } from './samples.js';

export interface HeadOptions {
  engine: Engine;
  samples: Samples;
  /** Examples to fit on. */
  train: number[];
  /** Examples to choose settings on; empty: cross-validation by `folds`. */
  validation: number[];
  /** Per training example the fold in which it is held out, −1 for never; empty where there is nothing to hold out. */
  folds: Map<number, number>;
  foldCount: number;
  /** Examples of the final fit. */
  finalFit: number[];
  head: NonNullable<JobSettings['head']>;
  hyperparameters: Hyperparameters;
  seed: number;
  onEpoch: (head: HeadKind, curve: Curve) => void;
  /** Share of the work done, 0 to 1. */
  onProgress: (share: number) => void;
}

export type HeadCandidate = Report['candidates'][number];

/** Scores of examples that the fit which scored them had not seen. */
export interface HeldOut extends Scored {
  /** The example of each row. */
  examples: number[];
}

export interface FittedHead {
  kind: HeadKind;
  /** Of the final fit; take standardised features. */
  layers: DenseLayer[];
  temperature: number;
  /** undefined: there was nothing to hold out. */
  heldOut: HeldOut | undefined;
  settings: Record<string, unknown>;
  candidates: Report['candidates'];
  curves: Curve[];
}
