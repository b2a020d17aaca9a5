/** The doctor on sparse features, which no backbone of today makes: made up, faults planted. */
import { createHash } from 'node:crypto';
import t from 'tap';
import type { Similarity } from '../../../src/backbones/modality.js';
import { type Features, firstRows, type SparseFeatures, takeRows } from '../../../src/numbers/features.js';
import { standardise } from '../../../src/numbers/standardise.js';
import type { LabelledExample } from '../../../src/schemas/datasets.js';
import { examineData } from '../../../src/training/doctor/examine-data.js';
import { nearestNeighbours } from '../../../src/training/doctor/neighbours.js';
import { denseOf, wordy } from '../../helpers/sparse.js';

const CLASSES = 4;

function examine(options: {
  features: Features;
  y: Int32Array;
  contents: string[];
  similarity?: Similarity<string>;
  onRead?: (example: number) => void;
}) {
  const { features, y, contents, similarity, onRead } = options;
  const labels = Array.from({ length: CLASSES }, (_, k) => `class ${k}`);
  const entries = contents.map(
    (content, i): LabelledExample =>
      ({
        name: `${i}.txt`,
        label: labels[y[i]!]!,
        sha256: createHash('sha256').update(content).digest('hex'),
        offset: i,
        bytes: content.length,
      }) as LabelledExample,
  );
  return examineData({
    entries,
    features,
    y,
    labels,
    splits: contents.map((_, i) => (i % 5 === 0 ? 'test' : 'train')),
    weightDecay: 0.3,
    seed: 0,
    similarity,
    odd: undefined,
    readContent: async ({ offset }) => {
      onRead?.(offset);
      return Buffer.from(contents[offset]!);
    },
  });
}

t.test('labels that were changed are found, the same ones as on the dense matrix', async (t) => {
  const { features, y } = wordy({ rows: 240, columns: 800, classes: CLASSES, each: 25 });
  const wrong = [11, 53, 97, 130, 171, 208];
  for (const row of wrong) y[row] = (y[row]! + 1) % CLASSES;
  standardise(features, [...y.keys()]);
  const contents = Array.from(y, (_, i) => String(i));
  const found = await examine({ features, y, contents });
  const names = found.label_errors.items.map(({ name }) => name);
  t.same(
    wrong.filter((row) => names.includes(`${row}.txt`)),
    wrong,
  );
  t.ok(names.length <= wrong.length + 3, `${names.length} in all`);
  t.equal(found.label_errors.judged, 240);
  const wide = await examine({ features: denseOf(features), y, contents });
  t.same(
    wide.label_errors.items.map(({ name }) => name),
    names,
  );
  t.same(
    wide.outliers.items.map(({ name }) => name),
    found.outliers.items.map(({ name }) => name),
  );
  t.same(wide.confusable_classes, found.confusable_classes);
});

t.test('copies are what the similarity says; without one, equal bytes alone', async (t) => {
  const made = wordy({ rows: 120, columns: 800, classes: CLASSES, each: 25 });
  const rows = [...made.y.keys(), 7, 30, 45];
  const features = takeRows(made.features, rows);
  const y = Int32Array.from(rows, (row) => made.y[row]!);
  const contents = rows.map((row, i) => (i < 120 ? `text ${row}` : i === 120 ? `text ${row}` : `TEXT ${row}`));
  const without = await examine({ features, y, contents });
  t.same(
    without.near_duplicates.items.map(({ examples }) => examples.map(({ name }) => name)),
    [['7.txt', '120.txt']],
  );
  const similarity: Similarity<string> = {
    signature: async (content) => Buffer.from(content).toString().toLowerCase(),
    compare: (one, other) => (one === other ? 1 : 0),
    copies: 0.9,
  };
  const read: number[] = [];
  const found = await examine({ features, y, contents, similarity, onRead: (example) => read.push(example) });
  t.same(found.near_duplicates.items.map(({ examples }) => examples.map(({ name }) => name)).sort(), [
    ['30.txt', '121.txt'],
    ['45.txt', '122.txt'],
    ['7.txt', '120.txt'],
  ]);
  t.equal(found.near_duplicates.across_splits, 3);
  t.equal(found.near_duplicates.leaked_test_examples, 3, '30, 45 and 120 are in the test part');
  t.equal(new Set(read).size, read.length, 'each content is read once');
});

t.test('neighbours of sparse rows are those of the dense matrix, empty rows included', async (t) => {
  const { features } = wordy({ rows: 300, columns: 500, classes: CLASSES, each: 12 });
  const some = firstRows(features, 200);
  const [found, expected] = [
    await nearestNeighbours({ features, rows: 200, count: 11 }),
    await nearestNeighbours({ features: denseOf(some as SparseFeatures), rows: 200, count: 11 }),
  ];
  found.distance.forEach((value, i) => {
    t.ok(Math.abs(value - expected.distance[i]!) < 1e-3);
  });
  const differing = found.index.filter((other, i) => other !== expected.index[i]).length;
  t.ok(differing <= 4, `${differing} places where two are as near`);
});

t.test('of many sparse rows they are nearly those, and a copy comes first', async (t) => {
  const made = wordy({ rows: 5200, columns: 4000, classes: CLASSES, each: 30 });
  const rows = [...made.y.keys()];
  rows[5100] = 17;
  const features = takeRows(made.features, rows);
  const found = await nearestNeighbours({ features, rows: 5200, count: 11 });
  t.same([found.index[17 * 11], found.index[5100 * 11]], [5100, 17]);
  t.same([found.distance[17 * 11], found.distance[5100 * 11]], [0, 0]);
  const near = [...found.index.subarray(3 * 11, 4 * 11)].filter((other) => made.y[other] === made.y[3]).length;
  t.ok(near >= 7, `${near} of 11 are of its class`);
});

t.test('data of one example is no reason to fail', async (t) => {
  const { features, y } = wordy({ rows: 1, columns: 10, classes: CLASSES, each: 3 });
  const found = await nearestNeighbours({ features, rows: 1, count: 11 });
  t.equal(found.count, 0);
  t.equal((await examine({ features, y, contents: ['one'] })).near_duplicates.total, 0);
});
