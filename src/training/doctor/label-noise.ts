import { seededRandom, shuffled } from '../../numbers/random.js';
import type { OutOfFold } from './out-of-fold.js';

/** How labels go wrong, as the data set itself says. */
export interface LabelNoise {
  /** Share of labels that are another class than the example; 0: nothing speaks for any. */
  share: number;
  /** Divides the logits of right examples. */
  temperature: number;
}

/** Shares that are tried. */
const SHARES = [0.0025, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.15, 0.2, 0.3];
/** Temperatures are sought between these, on a logarithmic scale. */
const TEMPERATURES: [number, number] = [0.3, 3];
const STEPS = 24;
/** Numbers that are looked at at most: more say nothing new of two numbers. */
const MAX_NUMBERS = 4_000_000;
/** Gain in log-likelihood from which on noise is believed: half of the 2 % point of χ² with one degree of freedom. */
const EVIDENCE = 2.7;

/**
 * The share of wrong labels under which the labels are likeliest: each is the example's class, or, in a share of them, any
 * other class. Where that explains them no better than no noise at all, there is none: what heads of weak features get wrong is
 * no evidence against labels.
 * @param options probabilities `[n, classes]` by heads that had not seen the examples; y `[n]`
 */
export function findLabelNoise(
  { probabilities, unknown }: OutOfFold,
  y: Int32Array,
  classes: number,
  seed: number,
): LabelNoise {
  const none = { share: 0, temperature: 1 };
  const known = [...y.keys()].filter((example) => !unknown.has(example));
  if (known.length === 0 || classes < 2) return none;
  const most = Math.max(1000, Math.floor(MAX_NUMBERS / classes));
  const some = known.length > most ? shuffled(known, seededRandom(seed, 'noise')).slice(0, most) : known;
  const row = (example: number) => probabilities.subarray(example * classes, (example + 1) * classes);
  let best = { ...none, gain: Number.NEGATIVE_INFINITY };
  let without = Number.NEGATIVE_INFINITY;
  const [low, high] = TEMPERATURES.map(Math.log) as [number, number];
  for (let step = 0; step <= STEPS; step += 1) {
    const temperature = Math.exp(low + ((high - low) * step) / STEPS);
    const given = some.map((example) => tempered(row(example), temperature)[y[example]!]!);
    without = Math.max(without, likelihood(given, 0, classes));
    for (const share of SHARES) {
      const gain = likelihood(given, share, classes);
      if (gain > best.gain) best = { share, temperature, gain };
    }
  }
  return best.gain - without >= EVIDENCE ? { share: best.share, temperature: best.temperature } : none;
}

/** Probability that the label of an example is wrong. @param p what heads say of it, `[classes]` */
export function wrongProbability(p: Float64Array, label: number, { share, temperature }: LabelNoise): number {
  if (share === 0) return 0;
  const given = tempered(p, temperature)[label]!;
  const wrong = (share * (1 - given)) / (p.length - 1);
  return wrong / ((1 - share) * given + wrong);
}

function likelihood(given: number[], share: number, classes: number): number {
  let sum = 0;
  for (const p of given) sum += Math.log(Math.max((1 - share) * p + (share * (1 - p)) / (classes - 1), 1e-12));
  return sum;
}

/** Probabilities as if their logits had been divided. */
function tempered(p: Float64Array, temperature: number): Float64Array {
  const powers = p.map((value) => Math.max(value, 1e-30) ** (1 / temperature));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((value) => value / sum);
}
