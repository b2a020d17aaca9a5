import { SoftmaxRegression } from '../../vision/softmax-regression.js';
import { fitTemperature, probabilities } from '../evaluate.js';
import { seededRandom, shuffled } from '../random.js';

export interface OutOfFold {
  /** `[n, K]`: probabilities of each image by a head that has not seen it, nor a copy of it. */
  probabilities: Float64Array;
  /** Images whose class that head has hardly seen; nothing can be said of them. */
  unknown: Set<number>;
}

/** Fewer images of a class teach a head too little to doubt a label. */
const LEAST_OF_CLASS = 3;
/** Few images need more folds, and can afford them. */
const foldsFor = (images: number) => (images <= 1000 ? 5 : images <= 20_000 ? 3 : 2);

/**
 * What heads say of images that they have not seen, for every image of the data set: training, validation and test alike.
 * @param options x: float32 `[≥ n, D]`, standardised; y: `[n]`; groups: copies, which stay in one fold, or the one would
 *   confirm the wrong label of the other
 */
export async function outOfFold(options: {
  x: Float32Array;
  y: Int32Array;
  dimensions: number;
  classes: number;
  groups: number[][];
  weightDecay: number;
  seed: number;
}): Promise<OutOfFold> {
  const { y, dimensions, classes: K, weightDecay } = options;
  const n = y.length;
  const x = options.x.subarray(0, n * dimensions);
  const folds = foldsFor(n);
  const fold = deal(y, options.groups, folds, options.seed);
  const logits = new Float32Array(n * K);
  const unknown = new Set<number>();
  const regression = new SoftmaxRegression({ x, y, dimensions, classes: K });
  for (let held = 0; held < folds; held += 1) {
    const seen = new Int32Array(K);
    y.forEach((k, image) => {
      if (fold[image] !== held) seen[k]! += 1;
    });
    // Not from where the last one ended: that one has seen these images.
    const fitted = await regression.fit({
      imageWeights: Float32Array.from(fold, (other) => (other === held ? 0 : 1)),
      weightDecay,
      maxIterations: 200,
      tolerance: 1e-4,
    });
    fold.forEach((other, image) => {
      if (other !== held) return;
      logits.set(fitted.logits.subarray(image * K, (image + 1) * K), image * K);
      if (seen[y[image]!]! < LEAST_OF_CLASS) unknown.add(image);
    });
  }
  const temperature = fitTemperature({ logits, y, classes: K });
  const out = new Float64Array(n * K);
  for (let image = 0; image < n; image += 1) {
    out.set(probabilities(logits.subarray(image * K, (image + 1) * K), temperature), image * K);
  }
  return { probabilities: out, unknown };
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
