/**
 * doctor/ looks for what is wrong with the data, from features that are there anyway: labels that are likely wrong, copies,
 * classes that are too small or taken for each other, and examples that do not belong.
 */
import type { Modality, Similarity } from '../../backbones/modality.js';
import type { Features } from '../../numbers/features.js';
import { seededRandom, shuffled } from '../../numbers/random.js';
import type { Split } from '../../schemas/common.js';
import type { LabelledExample } from '../../schemas/datasets.js';
import type { DataFindings } from '../../schemas/report.js';
import { rounded } from '../../numbers/scores.js';
import { confusableClasses } from './confusable-classes.js';
import { type Compared, copies } from './copies.js';
import { labelErrors } from './label-errors.js';
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
  /** Of each example. */
  splits: Split[];
  /** Of the heads that doubt labels. */
  weightDecay: number;
  seed: number;
  /** Confirms copies; without it only equal bytes are copies. */
  similarity: Similarity | undefined;
  /** What is odd about an example by its facts; without it nothing is. */
  odd: Modality['odd'];
  readContent: (entry: LabelledExample) => Promise<Uint8Array>;
}

/** Examples whose distances are compared; of more, a seeded choice. */
const MAX_COMPARED = 30_000;
/** Neighbours of each example: enough to know what is near. */
const NEIGHBOURS = 11;
/** With fewer, one example more or less moves its figures by 10 points. */
const SMALL_CLASS = 10;
const MAX_LISTED = { labels: 200, groups: 100, members: 20, classes: 100, pairs: 50, outliers: 50, odd: 50 } as const;

/** @returns what is likely wrong with the data; lists are bounded, their totals are not */
export async function examineData(options: ExamineOptions): Promise<DataFindings> {
  const { entries, features, labels, splits, seed, weightDecay, similarity, readContent } = options;
  const began = performance.now();
  const y = options.y.subarray(0, entries.length);
  const K = labels.length;
  const compared = await neighboursOfSome(options);
  const groups = await copies({ entries, compared, similarity, readContent });
  const unseen = await outOfFold({ features, y, classes: K, groups, weightDecay, seed });
  const doubted = labelErrors(unseen, y, K, seed);
  const pairs = confusableClasses(unseen, y, K);
  const far = outliers(compared.neighbours).map((found) => ({ ...found, example: compared.examples[found.example]! }));
  const trained = new Int32Array(K);
  splits.forEach((split, example) => {
    if (split !== 'test') trained[y[example]!]! += 1;
  });
  const small = labels
    .map((label, k) => ({ label, training_examples: trained[k]! }))
    .filter(({ training_examples }) => training_examples < SMALL_CLASS)
    .sort((a, b) => a.training_examples - b.training_examples);
  const named = (example: number) => ({
    name: entries[example]!.name,
    label: labels[y[example]!]!,
    split: splits[example]!,
  });
  const strange = entries.flatMap(({ facts }, example) => {
    const reason = facts && options.odd?.(facts);
    return reason === undefined ? [] : [{ example, reason }];
  });
  const described = groups.map((members) => ({
    across_splits: new Set(members.map((example) => splits[example])).size > 1,
    contradiction: new Set(members.map((example) => y[example])).size > 1,
    members,
  }));
  const worstFirst = [...described].sort(
    (a, b) => Number(b.contradiction) - Number(a.contradiction) || Number(b.across_splits) - Number(a.across_splits),
  );
  return {
    label_errors: {
      judged: entries.length - unseen.unknown.size,
      total: doubted.length,
      expected_wrong: rounded(doubted.reduce((sum, { wrong }) => sum + wrong, 0) / Math.max(1, doubted.length), 2),
      items: doubted.slice(0, MAX_LISTED.labels).map(({ example, suggested, confidence, given, wrong }) => ({
        ...named(example),
        suggested: labels[suggested]!,
        confidence: rounded(confidence, 4),
        given: rounded(given, 4),
        wrong: rounded(wrong, 4),
      })),
    },
    near_duplicates: {
      compared: compared.examples.length,
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
        share: rounded(share, 4),
      })),
    },
    outliers: {
      total: far.length,
      items: far
        .slice(0, MAX_LISTED.outliers)
        .map(({ example, distance }) => ({ ...named(example), distance: rounded(distance, 4) })),
    },
    odd_examples: {
      total: strange.length,
      items: strange.slice(0, MAX_LISTED.odd).map(({ example, reason }) => ({ ...named(example), reason })),
    },
    seconds: (performance.now() - began) / 1000,
  };
}

async function neighboursOfSome({ entries, features, seed }: ExamineOptions): Promise<Compared> {
  const all = [...entries.keys()];
  const cut = all.length > MAX_COMPARED;
  const examples = cut
    ? shuffled(all, seededRandom(seed, 'compared'))
        .slice(0, MAX_COMPARED)
        .sort((a, b) => a - b)
    : all;
  const neighbours = await nearestNeighbours({
    features,
    rows: cut ? examples : examples.length,
    count: NEIGHBOURS,
  });
  return { examples, neighbours };
}

/** Test examples of which a copy is in the training or validation part. */
function leaked(groups: number[][], splits: Split[]): number {
  return groups
    .filter((members) => members.some((example) => splits[example] !== 'test'))
    .reduce((sum, members) => sum + members.filter((example) => splits[example] === 'test').length, 0);
}
