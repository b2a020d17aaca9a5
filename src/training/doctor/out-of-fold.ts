import { SoftmaxRegression } from '../../heads/softmax-regression.js';
import { type Features, firstRows } from '../../numbers/features.js';
import { seededRandom, shuffled } from '../../numbers/random.js';
import { fitTemperature, probabilities } from '../../numbers/scores.js';

export interface OutOfFold {
  /** `[n, K]`: probabilities of each image by a head that has not seen it, nor a copy of it. */
  probabilities: Float64Array;
  /** Images whose class that head has hardly seen; nothing can be said of them. */
  unknown: Set<number>;
}

/** Fewer images of a class teach a head too little to doubt a label. */
const MIN_OF_CLASS = 3;
/** Enough for firm penalties; a weak one need not converge to say what is doubtful. */
const MAX_ITERATIONS = 100;
/** Few images need more folds, and can afford them. */
const foldsFor = (images: number) => (images <= 1000 ? 5 : images <= 20_000 ? 3 : 2);

/**
 * What heads say of images that they have not seen, for every image of the data set: training, validation and test alike.
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
  // With one or two images of each class there is nothing to fit for.
  if (unknown.size === n) return { probabilities: new Float64Array(n * K), unknown };
  const logits = new Float32Array(n * K);
  const regression = new SoftmaxRegression({ features, y, classes: K });
  for (let held = 0; held < folds; held += 1) {
    // Not from where the last one ended: that one has seen these images.
    const fitted = await regression.fit({
      rowWeights: Float32Array.from(fold, (other) => (other === held ? 0 : 1)),
      weightDecay,
      maxIterations: MAX_ITERATIONS,
      tolerance: 1e-4,
    });
    fold.forEach((other, image) => {
      if (other === held) logits.set(fitted.logits.subarray(image * K, (image + 1) * K), image * K);
    });
  }
  const known = [...y.keys()].filter((image) => !unknown.has(image));
  const judged = new Float32Array(known.length * K);
  known.forEach((image, row) => {
    judged.set(logits.subarray(image * K, (image + 1) * K), row * K);
  });
  const truth = Int32Array.from(known, (image) => y[image]!);
  const temperature = fitTemperature({ logits: judged, y: truth, classes: K });
  const out = new Float64Array(n * K);
  for (let image = 0; image < n; image += 1) {
    out.set(probabilities(logits.subarray(image * K, (image + 1) * K), temperature), image * K);
  }
  return { probabilities: out, unknown };
}

/** Images whose class has too few others outside of their fold. */
function hardlySeen(y: Int32Array, fold: Int32Array, folds: number, classes: number): Set<number> {
  const members = new Int32Array(classes);
  const inFold = Array.from({ length: folds }, () => new Int32Array(classes));
  y.forEach((k, image) => {
    members[k]! += 1;
    inFold[fold[image]!]![k]! += 1;
  });
  return new Set([...y.keys()].filter((i) => members[y[i]!]! - inFold[fold[i]!]![y[i]!]! < MIN_OF_CLASS));
}

/** The fold of each image: class by class, copies together. */
function deal(y: Int32Array, groups: number[][], folds: number, seed: number): Int32Array {
  const fold = new Int32Array(y.length).fill(-1);
  const members = new Map<number, number[]>();
  y.forEach((k, image) => {
    const known = members.get(k);
    if (known) known.push(image);
    else members.set(k, [image]);
  });
  const groupOf = new Map(groups.flatMap((group) => group.map((image) => [image, group] as const)));
  let next = 0;
  for (const [k, images] of [...members].sort(([a], [b]) => a - b)) {
    for (const image of shuffled(images, seededRandom(seed, `doctor ${k}`))) {
      if (fold[image]! >= 0) continue;
      for (const copy of groupOf.get(image) ?? [image]) fold[copy] = next % folds;
      next += 1;
    }
  }
  return fold;
}
