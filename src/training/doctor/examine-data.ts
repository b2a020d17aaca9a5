/**
 * doctor/ looks for what is wrong with the data, from features that are there anyway: labels that are likely wrong, copies,
 * classes that are too small or taken for each other, and images that do not belong.
 */
import { availableParallelism } from 'node:os';
import pLimit from 'p-limit';
import type { Similarity } from '../../backbones/modality.js';
import { type Features, takeRows } from '../../numbers/features.js';
import { seededRandom, shuffled } from '../../numbers/random.js';
import type { Split } from '../../schemas/common.js';
import type { LabelledExample } from '../../schemas/datasets.js';
import type { DataFindings } from '../../schemas/report.js';
import { confusableClasses } from './confusable-classes.js';
import { labelErrors } from './label-errors.js';
import { duplicateCandidates, groupPairs } from './near-duplicates.js';
import { nearestNeighbours } from './neighbours.js';
import { outOfFold } from './out-of-fold.js';
import { outliers } from './outliers.js';

export interface ExamineOptions {
  entries: LabelledExample[];
  /** Standardised, of the entries in their order; more rows may follow. */
  features: Features;
  /** `[≥ entries]` class indices */
  y: Int32Array;
  labels: string[];
  /** Of each image. */
  splits: Split[];
  /** Of the heads that doubt labels. */
  weightDecay: number;
  seed: number;
  readImage: (entry: LabelledExample) => Promise<Buffer>;
  /** Absent: only equal content is a copy, and there is none. */
  similarity: Similarity | undefined;
}

/** Images whose distances are compared; of more, a seeded choice. */
const MAX_COMPARED = 30_000;
/** Neighbours of each image: enough to know what is near. */
const NEIGHBOURS = 11;
/** Pairs that are compared as pictures. */
const MAX_PAIRS = 2000;
/** With fewer, one photo more or less moves its figures by 10 points. */
const SMALL_CLASS = 10;
const MAX_LISTED = { labels: 200, groups: 100, members: 20, classes: 100, pairs: 50, outliers: 50 } as const;

/** @returns what is likely wrong with the data; lists are bounded, their totals are not */
export async function examineData(options: ExamineOptions): Promise<DataFindings> {
  const { entries, features, labels, splits, seed, weightDecay } = options;
  const began = performance.now();
  const y = options.y.subarray(0, entries.length);
  const K = labels.length;
  const compared = await neighboursOfSome(options);
  const groups = await copies(options, compared);
  const unseen = await outOfFold({ features, y, classes: K, groups, weightDecay, seed });
  const doubted = labelErrors(unseen, y, K);
  const pairs = confusableClasses(unseen, y, K);
  const far = outliers(compared.neighbours).map((found) => ({ ...found, image: compared.images[found.image]! }));
  const trained = new Int32Array(K);
  splits.forEach((split, image) => {
    if (split !== 'test') trained[y[image]!]! += 1;
  });
  const small = labels
    .map((label, k) => ({ label, training_examples: trained[k]! }))
    .filter(({ training_examples }) => training_examples < SMALL_CLASS)
    .sort((a, b) => a.training_examples - b.training_examples);
  const named = (image: number) => ({ name: entries[image]!.name, label: labels[y[image]!]!, split: splits[image]! });
  const described = groups.map((members) => ({
    across_splits: new Set(members.map((image) => splits[image])).size > 1,
    contradiction: new Set(members.map((image) => y[image])).size > 1,
    members,
  }));
  const worstFirst = [...described].sort(
    (a, b) => Number(b.contradiction) - Number(a.contradiction) || Number(b.across_splits) - Number(a.across_splits),
  );
  return {
    label_errors: {
      judged: entries.length - unseen.unknown.size,
      total: doubted.length,
      items: doubted.slice(0, MAX_LISTED.labels).map(({ image, suggested, confidence, given }) => ({
        ...named(image),
        suggested: labels[suggested]!,
        confidence: rounded(confidence),
        given: rounded(given),
      })),
    },
    near_duplicates: {
      compared: compared.images.length,
      total: groups.length,
      across_splits: described.filter((group) => group.across_splits).length,
      contradictions: described.filter((group) => group.contradiction).length,
      leaked_test_examples: leaked(groups, splits),
      items: worstFirst.slice(0, MAX_LISTED.groups).map(({ members, across_splits, contradiction }) => ({
        across_splits,
        contradiction,
        examples: members.slice(0, MAX_LISTED.members).map(named),
      })),
    },
    small_classes: { total: small.length, items: small.slice(0, MAX_LISTED.classes) },
    confusable_classes: {
      total: pairs.length,
      items: pairs.slice(0, MAX_LISTED.pairs).map(({ classes, confused, share }) => ({
        labels: [labels[classes[0]]!, labels[classes[1]]!],
        confused,
        share: rounded(share),
      })),
    },
    outliers: {
      total: far.length,
      items: far
        .slice(0, MAX_LISTED.outliers)
        .map(({ image, distance }) => ({ ...named(image), distance: rounded(distance) })),
    },
    seconds: (performance.now() - began) / 1000,
  };
}

interface Compared {
  /** Image of each row of the neighbours. */
  images: number[];
  neighbours: Awaited<ReturnType<typeof nearestNeighbours>>;
}

async function neighboursOfSome({ entries, features, seed }: ExamineOptions): Promise<Compared> {
  const all = [...entries.keys()];
  const cut = all.length > MAX_COMPARED;
  const images = cut
    ? shuffled(all, seededRandom(seed, 'compared'))
        .slice(0, MAX_COMPARED)
        .sort((a, b) => a - b)
    : all;
  const neighbours = await nearestNeighbours({
    features: cut ? takeRows(features, images) : features,
    images: images.length,
    count: NEIGHBOURS,
  });
  return { images, neighbours };
}

/** Groups of images that are copies of each other. */
async function copies({ entries, readImage, similarity }: ExamineOptions, compared: Compared): Promise<number[][]> {
  if (!similarity) return [];
  const signatures = new Map<number, Promise<unknown>>();
  const signatureOf = (image: number) => {
    let signature = signatures.get(image);
    if (!signature) {
      signature = readImage(entries[image]!).then((bytes) => similarity.signature(bytes));
      signatures.set(image, signature);
    }
    return signature;
  };
  const atOnce = pLimit(availableParallelism());
  const candidates = duplicateCandidates(compared.neighbours).slice(0, MAX_PAIRS);
  const pairs = candidates.map(({ a, b }) => ({ a: compared.images[a]!, b: compared.images[b]! }));
  const similarities = await Promise.all(
    pairs.map(({ a, b }) =>
      atOnce(async () => similarity.compare(...(await Promise.all([signatureOf(a), signatureOf(b)])))),
    ),
  );
  return groupPairs(pairs.filter((_, i) => similarities[i]! >= similarity.copies));
}

/** Test images of which a copy is in the training or validation part. */
function leaked(groups: number[][], splits: Split[]): number {
  return groups
    .filter((members) => members.some((image) => splits[image] !== 'test'))
    .reduce((sum, members) => sum + members.filter((image) => splits[image] === 'test').length, 0);
}

function rounded(value: number): number {
  return Math.round(value * 1e4) / 1e4;
}
