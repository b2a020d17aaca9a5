import type { Hyperparameters } from '../../schemas/jobs.js';
import type { HeadOptions } from './contract.js';
import type { Samples } from './samples.js';

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
