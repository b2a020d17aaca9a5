/**
 * stages/ holds the stages of a training, one a file; none imports another. What two of them need lies in training/ or one of
 * its other sub-rooms.
 *
 * This file: who trains, who chooses, who tests.
 */
import { classWithoutTrainingExamples } from '../check-training.js';
import { holdOut, type SplitEntry } from '../parts.js';
import type { Parts } from '../run.js';

export interface SplitOptions {
  seed: number;
  /** Default: 0.2. */
  testFraction?: number | undefined;
  /** Default: none, settings are chosen by cross-validation; 0.1 of more than 20,000 examples. */
  validationFraction?: number | undefined;
  /** Whether heads can be judged by cross-validation: a small data set then needs no test part of its own. */
  folded?: boolean;
}

const TEST_FRACTION = 0.2;
const MAX_FOLDED = 20_000;
/** A fifth of fewer examples says too little: the figures of so few rest on every one, by cross-validation. */
const MIN_TO_HOLD_OUT = 300;
const LARGE_VALIDATION_FRACTION = 0.1;

/**
 * Divide a data set.
 *  - Splits that came with it stay. Without a test part, its validation part is the held-out one.
 *  - Of fewer than 300 examples none is held out, where cross-validation can judge and no part was asked for.
 *  - Otherwise each example's content and the seed decide, see `parts.ts`; a class with one example keeps it for training.
 * @throws AppError `class_without_training_examples`
 */
export function splitDataset(entries: readonly SplitEntry[], options: SplitOptions): Parts {
  const { seed, folded = false } = options;
  const asked = options.testFraction !== undefined || options.validationFraction !== undefined;
  const few = folded && !asked && entries.length < MIN_TO_HOLD_OUT;
  const testFraction = options.testFraction ?? (few ? 0 : TEST_FRACTION);
  const validationFraction =
    options.validationFraction ?? (entries.length > MAX_FOLDED ? LARGE_VALIDATION_FRACTION : null);
  const indices = (part: string) =>
    entries.flatMap((entry, index) => ((entry.split ?? 'train') === part ? [index] : []));
  const given = entries.some(({ split }) => split === 'test' || split === 'validation');
  let [train, validation, test] = [indices('train'), indices('validation'), indices('test')];
  if (given && test.length === 0) [validation, test] = [[], validation];
  if (!given) ({ kept: train, held: test } = holdOut(entries, train, testFraction, seed, 'test'));
  if (validation.length === 0 && validationFraction !== null) {
    const divided = holdOut(entries, train, validationFraction, seed, 'validation');
    [train, validation] = [divided.kept, divided.held];
  }
  const trained = new Set(train.map((index) => entries[index]!.label));
  const missing = [...new Set(entries.map(({ label }) => label))].filter((label) => !trained.has(label));
  if (missing.length > 0) throw classWithoutTrainingExamples(missing);
  return {
    source: given ? 'given' : 'seeded',
    train,
    validation,
    test,
    testFraction: given ? null : testFraction,
    validationFraction,
  };
}
