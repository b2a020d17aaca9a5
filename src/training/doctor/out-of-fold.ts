import { SoftmaxRegression } from '../../heads/softmax-regression.js';
import { type Features, firstRows } from '../../numbers/features.js';
import { seededRandom, shuffled } from '../../numbers/random.js';
import { fitTemperature, probabilities } from '../../numbers/scores.js';

export interface OutOfFold {
  /** `[n, K]`: probabilities of each example by a head that has not seen it, nor a copy of it. */
  probabilities: Float64Array;
  /** Examples whose class that head has hardly seen; nothing can be said of them. */
  unknown: Set<number>;
}

/** Fewer examples of a class teach a head too little to doubt a label. */
const MIN_OF_CLASS = 3;
/** Enough for firm penalties; a weak one need not converge to say what is doubtful. */
const MAX_ITERATIONS = 100;
/** Few examples need more folds, and can afford them. */
const foldsFor = (examples: number) => (examples <= 1000 ? 5 : examples <= 20_000 ? 3 : 2);

/**
 * What heads say of examples that they have not seen, for every example of the data set: training, validation and test alike.
 * @param options features: standardised, of n rows and more; y: `[n]`; groups: copies, which stay in one fold, or the one would
 *   confirm the wrong label of the other
 */
export async function outOfFold(options: {
  features: Features;
  y: Int32Array;
  classes: number;
  groups: number[][];
  weightDecay: number;
  seed: number;
}): Promise<OutOfFold> {
  const { y, classes: K, weightDecay } = options;
  const n = y.length;
  const features = firstRows(options.features, n);
  const folds = foldsFor(n);
  const fold = deal(y, options.groups, folds, options.seed);
  const unknown = hardlySeen(y, fold, folds, K);
  // With one or two examples of each class there is nothing to fit for.
  if (unknown.size === n) return { probabilities: new Float64Array(n * K), unknown };
  const logits = new Float32Array(n * K);
  const regression = new SoftmaxRegression({ features, y, classes: K });
  const fits = Array.from({ length: folds }, async (_, held) => {
    // Not from where the last one ended: that one has seen these examples.
    const fitted = await regression.fit({
      rowWeights: Float32Array.from(fold, (other) => (other === held ? 0 : 1)),
      weightDecay,
      maxIterations: MAX_ITERATIONS,
      tolerance: 1e-4,
    });
    fold.forEach((other, example) => {
      if (other === held) logits.set(fitted.logits.subarray(example * K, (example + 1) * K), example * K);
    });
  });
  await Promise.all(fits);
  const known = [...y.keys()].filter((example) => !unknown.has(example));
  const judged = new Float32Array(known.length * K);
  known.forEach((example, row) => {
    judged.set(logits.subarray(example * K, (example + 1) * K), row * K);
  });
  const truth = Int32Array.from(known, (example) => y[example]!);
  const temperature = fitTemperature({ logits: judged, y: truth, classes: K });
  const out = new Float64Array(n * K);
  for (let example = 0; example < n; example += 1) {
    out.set(probabilities(logits.subarray(example * K, (example + 1) * K), temperature), example * K);
  }
  return { probabilities: out, unknown };
}

/** Examples whose class has too few others outside of their fold. */
function hardlySeen(y: Int32Array, fold: Int32Array, folds: number, classes: number): Set<number> {
  const members = new Int32Array(classes);
  const inFold = Array.from({ length: folds }, () => new Int32Array(classes));
  y.forEach((k, example) => {
    members[k]! += 1;
    inFold[fold[example]!]![k]! += 1;
  });
  return new Set([...y.keys()].filter((i) => members[y[i]!]! - inFold[fold[i]!]![y[i]!]! < MIN_OF_CLASS));
}

/** The fold of each example: class by class, copies together. */
function deal(y: Int32Array, groups: number[][], folds: number, seed: number): Int32Array {
  const fold = new Int32Array(y.length).fill(-1);
  const members = new Map<number, number[]>();
  y.forEach((k, example) => {
    const known = members.get(k);
    if (known) known.push(example);
    else members.set(k, [example]);
  });
  const groupOf = new Map(groups.flatMap((group) => group.map((example) => [example, group] as const)));
  let next = 0;
  for (const [k, examples] of [...members].sort(([a], [b]) => a - b)) {
    for (const example of shuffled(examples, seededRandom(seed, `doctor ${k}`))) {
      if (fold[example]! >= 0) continue;
      for (const copy of groupOf.get(example) ?? [example]) fold[copy] = next % folds;
      next += 1;
    }
  }
  return fold;
}
