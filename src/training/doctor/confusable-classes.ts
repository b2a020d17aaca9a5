import { argMax } from '../../numbers/scores.js';
import type { OutOfFold } from './out-of-fold.js';

export interface ConfusableClasses {
  /** Two class indices. */
  classes: [number, number];
  /** Examples of the first that were taken for the second, and the other way round. */
  confused: [number, number];
  /** Confused examples as a share of those of both classes. */
  share: number;
}

const MIN_SHARE = 0.05;
const MIN_CONFUSED = 3;
/** How many standard deviations of a Poisson count above what chance would give. */
const BEYOND_CHANCE = 2;

/** Pairs of classes that heads take for each other more often than errors fall on classes by chance, worst first. */
export function confusableClasses(
  { probabilities, unknown }: OutOfFold,
  y: Int32Array,
  classes: number,
): ConfusableClasses[] {
  const confusion = Array.from({ length: classes }, () => new Int32Array(classes));
  y.forEach((truth, example) => {
    if (unknown.has(example)) return;
    const p = probabilities.subarray(example * classes, (example + 1) * classes);
    confusion[truth]![argMax(p)]! += 1;
  });
  const examples = confusion.map((row) => row.reduce((a, b) => a + b, 0));
  const errors = confusion.map((row, k) => examples[k]! - row[k]!);
  const pairs: ConfusableClasses[] = [];
  for (let a = 0; a < classes; a += 1) {
    for (let b = a + 1; b < classes; b += 1) {
      const confused: [number, number] = [confusion[a]![b]!, confusion[b]![a]!];
      const sum = confused[0] + confused[1];
      const share = sum / Math.max(1, examples[a]! + examples[b]!);
      const chance = (errors[a]! + errors[b]!) / (classes - 1);
      const beyond = classes === 2 || sum > chance + BEYOND_CHANCE * Math.sqrt(chance);
      if (sum >= MIN_CONFUSED && share >= MIN_SHARE && beyond) pairs.push({ classes: [a, b], confused, share });
    }
  }
  return pairs.sort((one, other) => other.share - one.share);
}
