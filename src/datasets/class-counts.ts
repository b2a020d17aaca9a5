import type { Modality } from '../backbones/modality.js';
import type { Split } from '../schemas/common.js';
import type { ClassCount, Example } from '../schemas/datasets.js';
import { compareCodePoints } from './labels/label.js';
import { nameSome } from './labels/name-some.js';

type SplitCounts = Record<Split, number>;

/** Names of examples that stand beside a class. */
const NAMES = 3;
/** Fewer examples than this say little about a class. */
const FEW = 5;

/**
 * Examples per class, sorted by the code points of the label; per split too, where there are splits. An example with
 * several labels is counted in none of its classes, which are there all the same.
 */
export function countClasses(examples: Example[]): ClassCount[] {
  const counts = new Map<string, ClassCount>();
  for (const { labels, split, conflict, name, sha256 } of examples) {
    for (const label of labels) {
      const count = counts.get(label) ?? {
        label,
        examples: 0,
        names: [],
        digests: [],
        ...(split && { splits: noExamples() }),
      };
      counts.set(label, count);
      if (conflict) continue;
      count.examples += 1;
      if (count.names!.length < NAMES) {
        count.names!.push(name);
        count.digests!.push(sha256);
      }
      if (split && count.splits) count.splits[split] += 1;
    }
  }
  return [...counts.values()].sort((a, b) => compareCodePoints(a.label, b.label));
}

/** Examples per split; null where there are no splits. */
export function countSplits(examples: Example[]): SplitCounts | null {
  if (!examples.some(({ split }) => split)) return null;
  const counts = noExamples();
  for (const { split } of examples) if (split) counts[split] += 1;
  return counts;
}

/** What a sender should look at in the classes, though it is no error. */
export function classWarnings(classes: ClassCount[], { one, many }: Modality['words']): string[] {
  const warnings: string[] = [];
  if (classes.length === 1) {
    warnings.push(`There is only one class, ${JSON.stringify(classes[0]!.label)}; training needs two or more.`);
  }
  const few = classes.filter(({ examples }) => examples < FEW);
  if (few.length > 0) {
    const which = nameSome(few.map(({ label, examples }) => `${JSON.stringify(label)} (${examples})`));
    warnings.push(`Classes with fewer than ${FEW} ${many}: ${which}.`);
  }
  const untrained = classes.filter(({ splits }) => splits && splits.train === 0);
  if (untrained.length > 0) {
    const which = nameSome(untrained.map(({ label }) => JSON.stringify(label)));
    warnings.push(`Classes of which no ${one} is for training: ${which}.`);
  }
  const alike = new Map<string, string[]>();
  for (const { label } of classes) {
    const key = label.trim().toLowerCase();
    alike.set(key, [...(alike.get(key) ?? []), label]);
  }
  for (const labels of alike.values()) {
    if (labels.length < 2) continue;
    const names = labels.map((label) => JSON.stringify(label)).join(' and ');
    warnings.push(`The labels ${names} differ only by case or spaces; they count as different classes.`);
  }
  return warnings;
}

function noExamples(): SplitCounts {
  return { train: 0, validation: 0, test: 0 };
}
