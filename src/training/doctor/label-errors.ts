import { argMax } from '../../numbers/scores.js';
import type { OutOfFold } from './out-of-fold.js';

export interface LabelError {
  example: number;
  /** Class that fits better. */
  suggested: number;
  /** Probability of the suggested class. */
  confidence: number;
  /** Probability of the label it has. */
  given: number;
}

/**
 * A label is doubted when a head that has not seen the example finds it this much less likely than a guess, 1 / K. Measured
 * with 5 % of the labels changed (docs/data-doctor.md): the class thresholds of confident learning, and the margin between
 * the best class and the label, both gave less precision at the same recall.
 */
const DOUBT = 0.4;

/** Examples whose label is likely wrong, the surest first. */
export function labelErrors({ probabilities, unknown }: OutOfFold, y: Int32Array, classes: number): LabelError[] {
  const found: LabelError[] = [];
  y.forEach((truth, example) => {
    if (unknown.has(example)) return;
    const p = probabilities.subarray(example * classes, (example + 1) * classes);
    const suggested = argMax(p);
    if (suggested === truth || p[truth]! * classes >= DOUBT) return;
    found.push({ example, suggested, confidence: p[suggested]!, given: p[truth]! });
  });
  return found.sort((a, b) => a.given - b.given || a.example - b.example);
}
