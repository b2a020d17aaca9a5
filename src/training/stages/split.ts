import { seededRandom, shuffled } from '../../numbers/random.js';
import type { LabelledExample } from '../../schemas/datasets.js';
import { classWithoutTrainingImages } from '../check-training.js';

type SplitEntry = Pick<LabelledExample, 'label' | 'split'> & Partial<Pick<LabelledExample, 'sha256'>>;

/** Indices of images by part; together they are all images. */
export interface Parts {
  source: 'given' | 'seeded';
  train: number[];
  validation: number[];
  test: number[];
}

export interface SplitOptions {
  seed: number;
  testFraction: number;
  /** Undefined: no part of its own, settings are chosen by cross-validation. */
  validationFraction: number | undefined;
}

/**
 * Divide a data set.
 *  - Splits that came with it stay. Without a test part, its validation part is the held-out one.
 *  - Otherwise a share of each class is held out by the seed; a class with one image keeps it for training.
 * @throws AppError `class_without_training_examples`
 */
export function splitDataset(entries: readonly SplitEntry[], options: SplitOptions): Parts {
  const indices = (part: string) =>
    entries.flatMap((entry, index) => ((entry.split ?? 'train') === part ? [index] : []));
  const given = entries.some(({ split }) => split === 'test' || split === 'validation');
  let [train, validation, test] = [indices('train'), indices('validation'), indices('test')];
  if (given && test.length === 0) [validation, test] = [[], validation];
  if (!given) ({ kept: train, held: test } = holdOut(entries, train, options.testFraction, options.seed, 'test'));
  if (validation.length === 0 && options.validationFraction !== undefined) {
    const divided = holdOut(entries, train, options.validationFraction, options.seed, 'validation');
    [train, validation] = [divided.kept, divided.held];
  }
  const trained = new Set(train.map((index) => entries[index]!.label));
  const missing = [...new Set(entries.map(({ label }) => label))].filter((label) => !trained.has(label));
  if (missing.length > 0) throw classWithoutTrainingImages(missing);
  return { source: given ? 'given' : 'seeded', train, validation, test };
}

/** Take `fraction` of each class away, at least one of two and more, never the last. */
function holdOut(
  entries: readonly SplitEntry[],
  from: number[],
  fraction: number,
  seed: number,
  purpose: string,
): { kept: number[]; held: number[] } {
  const held = new Set<number>();
  for (const [label, members] of byLabel(entries, from)) {
    if (fraction === 0 || members.length < 2) continue;
    const count = Math.min(members.length - 1, Math.max(1, Math.round(members.length * fraction)));
    for (const index of shuffled(members, seededRandom(seed, `${purpose} ${label}`)).slice(0, count)) held.add(index);
  }
  return { kept: from.filter((index) => !held.has(index)), held: [...held].sort((a, b) => a - b) };
}

/**
 * Deal images to folds, class by class.
 * @returns for each of `from` the fold in which it is held out; −1, never, for the only image of a class
 */
export function dealFolds(
  entries: readonly SplitEntry[],
  from: number[],
  folds: number,
  seed: number,
): Map<number, number> {
  const fold = new Map<number, number>();
  let next = 0;
  for (const [label, members] of byLabel(entries, from)) {
    const order = shuffled(members, seededRandom(seed, `folds ${label}`));
    for (const index of order) fold.set(index, order.length === 1 ? -1 : next++ % folds);
  }
  return fold;
}

function byLabel(entries: readonly SplitEntry[], indices: number[]): Map<string, number[]> {
  const groups = new Map<string, number[]>();
  // By content, so that the order and the format of the archive do not matter.
  const digest = (index: number) => entries[index]!.sha256 ?? '';
  const sorted = [...indices].sort((a, b) => (digest(a) < digest(b) ? -1 : Number(digest(a) > digest(b))));
  for (const index of sorted) {
    const { label } = entries[index]!;
    const group = groups.get(label);
    if (group) group.push(index);
    else groups.set(label, [index]);
  }
  return groups;
}
