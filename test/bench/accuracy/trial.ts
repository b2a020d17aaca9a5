import { loadEngine } from '../../../src/heads/engine.js';
import { headLogits } from '../../../src/heads/head-logits.js';
import { dense } from '../../../src/numbers/features.js';
import { seededRandom } from '../../../src/numbers/random.js';
import { standardise } from '../../../src/numbers/standardise.js';
import type { JobSettings } from '../../../src/schemas/jobs.js';
import { fitHead } from '../../../src/training/choose-head/fit-head.js';
import { accuracy, argMax } from '../../../src/numbers/scores.js';
import { dealFolds } from '../../../src/training/parts.js';
import type { Features } from './features.js';

export interface Rows {
  train: number[];
  test: number[];
}

/** A head on some rows, as a job fits it, and its accuracy (and mean recall) on others. */
export async function trial(features: Features, rows: Rows, head: JobSettings['head'] & string, balanced = false) {
  const { entries, dimensions } = features;
  const engine = await loadEngine();
  const labels = [...new Set(entries.map(({ label }) => label))].sort();
  const y = Int32Array.from(entries, ({ label }) => labels.indexOf(label));
  const standardised = dense(features.x.slice(), dimensions);
  standardise(standardised, rows.train);
  const foldCount = rows.train.length <= 1000 ? 5 : 3;
  const folds = dealFolds(entries, rows.train, foldCount, 0);
  if ([...folds.values()].every((fold) => fold < 0)) folds.clear();
  const fitted = await fitHead({
    engine,
    samples: { features: standardised, y, origin: Int32Array.from(y.keys()), labels },
    train: rows.train,
    validation: [],
    folds,
    foldCount,
    finalFit: rows.train,
    head,
    hyperparameters: balanced ? { class_weights: 'balanced' } : {},
    seed: 0,
    onEpoch: () => undefined,
    onProgress: () => undefined,
  });
  const K = labels.length;
  const logits = headLogits({ engine, layers: fitted.layers, features: standardised, rows: rows.test });
  const truth = Int32Array.from(rows.test, (row) => y[row]!);
  const hits = labels.map(() => [0, 0] as [number, number]);
  truth.forEach((k, i) => {
    hits[k]![1] += 1;
    if (argMax(logits.subarray(i * K, (i + 1) * K)) === k) hits[k]![0] += 1;
  });
  const recalls = hits.filter(([, all]) => all > 0).map(([right, all]) => right / all);
  return {
    kind: fitted.kind,
    accuracy: accuracy({ logits, y: truth, classes: K }),
    recall: recalls.reduce((a, b) => a + b, 0) / recalls.length,
  };
}

/** Every class split 80 : 20 at random. */
export function randomSplit({ entries }: Features, seed: number): Rows {
  const random = seededRandom(seed, 'bench split');
  const rows: Rows = { train: [], test: [] };
  for (const label of new Set(entries.map((entry) => entry.label))) {
    const own = shuffled(
      [...entries.keys()].filter((i) => entries[i]!.label === label),
      random,
    );
    const held = Math.round(own.length * 0.2);
    rows.test.push(...own.slice(0, held));
    rows.train.push(...own.slice(held));
  }
  return rows;
}

/** Of the training rows, at most so many of each class. */
export function atMost(
  { entries }: Features,
  { train, test }: Rows,
  seed: number,
  most: (label: string) => number,
): Rows {
  const random = seededRandom(seed, 'bench draw');
  const labels = [...new Set(train.map((row) => entries[row]!.label))];
  const drawn = labels.flatMap((label) =>
    shuffled(
      train.filter((row) => entries[row]!.label === label),
      random,
    ).slice(0, most(label)),
  );
  return { train: drawn, test };
}

function shuffled<T>(values: T[], random: () => number): T[] {
  for (let i = values.length - 1; i > 0; i -= 1) {
    const j = Math.floor(random() * (i + 1));
    [values[i], values[j]] = [values[j]!, values[i]!];
  }
  return values;
}

export const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;

/** Standard error of the mean. */
export function standardError(values: number[]): number {
  const centre = mean(values);
  const square = values.reduce((sum, value) => sum + (value - centre) ** 2, 0);
  return Math.sqrt(square / Math.max(1, values.length - 1) / values.length);
}
