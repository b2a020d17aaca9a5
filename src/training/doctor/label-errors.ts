import { argMax } from '../../numbers/scores.js';
import { findLabelNoise, wrongProbability } from './label-noise.js';
import type { OutOfFold } from './out-of-fold.js';

export interface LabelError {
  example: number;
  /** Class that fits better. */
  suggested: number;
  /** Probability of the suggested class. */
  confidence: number;
  /** Probability of the label it has. */
  given: number;
  /** Probability that its label is wrong. */
  wrong: number;
}

/** A label is worth a look when it is wrong this likely. Measured with 5 % of the labels changed (docs/data-doctor.md). */
const WORTH_A_LOOK = 0.3;

/** Examples whose label is worth a look, the surest first. */
export function labelErrors(found: OutOfFold, y: Int32Array, classes: number, seed: number): LabelError[] {
  const { probabilities, unknown } = found;
  const noise = findLabelNoise(found, y, classes, seed);
  if (noise.share === 0) return [];
  const errors: LabelError[] = [];
  y.forEach((label, example) => {
    if (unknown.has(example)) return;
    const p = probabilities.subarray(example * classes, (example + 1) * classes);
    const suggested = argMax(p);
    const wrong = suggested === label ? 0 : wrongProbability(p, label, noise);
    if (wrong < WORTH_A_LOOK) return;
    errors.push({ example, suggested, confidence: p[suggested]!, given: p[label]!, wrong });
  });
  return errors.sort((a, b) => b.wrong - a.wrong || a.example - b.example);
}
