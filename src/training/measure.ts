import type { Scored } from '../numbers/scores.js';
import type { FittedHead } from './choose-head/contract.js';
import type { Samples } from './choose-head/samples.js';
import { figuresOf } from './figures.js';
import type { HeldOutAnswers, Measured } from './run.js';

/**
 * How good a head is, from what it said of examples that it had not seen: the test part; without one, the examples that
 * chose its settings; else nothing is known.
 */
export function measure(options: {
  fitted: FittedHead;
  samples: Samples;
  train: number[];
  test: number[];
  /** Scores of the test part; undefined where there is none. */
  tested: Scored | undefined;
  /** Whether its settings were chosen by cross-validation. */
  folded: boolean;
}): Measured {
  const { samples, train } = options;
  const answers = answersOf(options);
  if (!answers) return { evaluation: null, answers };
  const { labels, y } = samples;
  const trainCounts = labels.map((_, k) => train.filter((example) => y[example] === k).length);
  const { on, temperature, scored } = answers;
  return { evaluation: figuresOf(scored, { on, labels, trainCounts, temperature }), answers };
}

function answersOf(options: Parameters<typeof measure>[0]): HeldOutAnswers | undefined {
  const { fitted, test, tested, folded } = options;
  const { temperature, heldOut, settings } = fitted;
  if (tested) return { on: 'test', examples: test, scored: tested, temperature };
  if (!heldOut) return undefined;
  // Adam is watched on one fold only.
  const on = folded && settings.optimizer !== 'adam' ? 'cross_validation' : 'validation';
  return { on, examples: heldOut.examples, scored: heldOut, temperature };
}
