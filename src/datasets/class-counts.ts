import type { Split } from '../schemas/common.js';
import type { ClassCount, DatasetEntry } from '../schemas/datasets.js';
import { listOf } from './labels/list-of.js';

type SplitCounts = Record<Split, number>;

/** Fewer images than this say little about a class. */
const FEW = 5;

/** Images per class, sorted by the code points of the label; per split too, where there are splits. */
export function countClasses(entries: DatasetEntry[]): ClassCount[] {
  const counts = new Map<string, ClassCount>();
  for (const { label, split } of entries) {
    const count = counts.get(label) ?? { label, examples: 0, ...(split && { splits: noImages() }) };
    counts.set(label, count);
    count.examples += 1;
    if (split && count.splits) count.splits[split] += 1;
  }
  return [...counts.values()].sort((a, b) => compareCodePoints(a.label, b.label));
}

/** Images per split; null where there are no splits. */
export function countSplits(entries: DatasetEntry[]): SplitCounts | null {
  if (!entries.some(({ split }) => split)) return null;
  const counts = noImages();
  for (const { split } of entries) if (split) counts[split] += 1;
  return counts;
}

/** What a sender should look at in the classes, though it is no error. */
export function classWarnings(classes: ClassCount[]): string[] {
  const warnings: string[] = [];
  if (classes.length === 1) {
    warnings.push(`There is only one class, ${JSON.stringify(classes[0]!.label)}; training needs two or more.`);
  }
  const few = classes.filter(({ examples: images }) => images < FEW);
  if (few.length > 0) {
    const which = listOf(few.map(({ label, examples: images }) => `${JSON.stringify(label)} (${images})`));
    warnings.push(`Classes with fewer than ${FEW} images: ${which}.`);
  }
  const untrained = classes.filter(({ splits }) => splits && splits.train === 0);
  if (untrained.length > 0) {
    warnings.push(`Classes without training images: ${listOf(untrained.map(({ label }) => JSON.stringify(label)))}.`);
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

function noImages(): SplitCounts {
  return { train: 0, validation: 0, test: 0 };
}

/** By code point, the same in every locale; `<` alone would go by UTF-16 unit and put emoji before some letters. */
function compareCodePoints(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
