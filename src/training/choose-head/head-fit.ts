/** What every kind of fit is given and answers, and what they share. */

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

/** Weight of every row in a fit on these examples. */
export function rowWeights(options: HeadOptions, examples: number[]): Float32Array {
  const { samples, hyperparameters } = options;
  const inside = new Set(examples);
  const perClass = classWeights(samples, examples, hyperparameters.class_weights);
  return Float32Array.from(samples.origin, (example, row) => (inside.has(example) ? perClass[samples.y[row]!]! : 0));
}

/**
 * Weight of every row in a fit that leaves a fold out. A fold may have more or less than its share of a class; in the fit
 * each class counts as much as in all of `train`, or firm penalties would look worse than they are.
 */
export function foldWeights(options: HeadOptions, fit: number[]): Float32Array {
  const { samples, train, folds, hyperparameters } = options;
  const weights = rowWeights(options, fit);
  if (folds.size === 0 || hyperparameters.class_weights === 'balanced') return weights;
  const shares = (examples: number[]) => {
    const counts = new Float64Array(samples.labels.length);
    for (const example of examples) counts[samples.y[example]!]! += 1 / examples.length;
    return counts;
  };
  const [all, left] = [shares(train), shares(fit)];
  return weights.map((weight, row) => weight && (weight * all[samples.y[row]!]!) / left[samples.y[row]!]!);
}

function classWeights(samples: Samples, examples: number[], choice: Hyperparameters['class_weights']): number[] {
  if (choice === 'balanced') {
    const counts = new Array<number>(samples.labels.length).fill(0);
    for (const example of examples) counts[samples.y[example]!]! += 1;
    return counts.map((count) => (count === 0 ? 0 : examples.length / (counts.length * count)));
  }
  if (typeof choice === 'object') {
    const given = new Map(Object.entries(choice));
    return samples.labels.map((label) => given.get(label) ?? 1);
  }
  return samples.labels.map(() => 1);
}

/** Examples that choose settings in one fit: the validation part, or the first fold that has some. */
export function heldOutExamples(options: HeadOptions): number[] {
  return heldOutRounds(options).rounds[0]?.held ?? [];
}

export const isSet = <T>(value: T | 'auto' | undefined): value is T => value !== undefined && value !== 'auto';

/** Fits to choose settings with, and the examples that each of them does not see; none where nothing can be held out. */
export function heldOutRounds({ train, validation, folds, foldCount }: HeadOptions): {
  /** Of all rounds together. */
  held: number[];
  rounds: { fit: number[]; held: number[] }[];
} {
  if (validation.length > 0) return { held: validation, rounds: [{ fit: train, held: validation }] };
  const held = train.filter((example) => (folds.get(example) ?? -1) >= 0);
  const rounds = Array.from({ length: foldCount }, (_, fold) => ({
    fit: train.filter((example) => folds.get(example) !== fold),
    held: train.filter((example) => folds.get(example) === fold),
  }));
  // Of few examples a fold may have none.
  return { held, rounds: rounds.filter((round) => round.held.length > 0) };
}
