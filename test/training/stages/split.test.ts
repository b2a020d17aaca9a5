import t from 'tap';
import type { Split } from '../../../src/schemas/common.js';
import { dealFolds } from '../../../src/training/parts.js';
import { splitDataset } from '../../../src/training/stages/split.js';

type Entry = { label: string; split?: Split };

function entries(counts: Record<string, number>, split?: Split): Entry[] {
  return Object.entries(counts).flatMap(([label, count]) =>
    Array.from({ length: count }, () => ({ label, ...(split && { split }) })),
  );
}

const SEEDED = { seed: 1, testFraction: 0.2, validationFraction: undefined };

function countsOf(all: Entry[], indices: number[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const index of indices) counts[all[index]!.label] = (counts[all[index]!.label] ?? 0) + 1;
  return counts;
}

t.test('the same share of every class is held out, and every image is in one part', (t) => {
  const all = entries({ cat: 50, dog: 20, emu: 10 });
  const parts = splitDataset(all, { ...SEEDED, validationFraction: 0.25 });
  t.equal(parts.source, 'seeded');
  t.same(countsOf(all, parts.test), { cat: 10, dog: 4, emu: 2 });
  t.same(countsOf(all, parts.validation), { cat: 10, dog: 4, emu: 2 });
  t.same(
    [...parts.train, ...parts.validation, ...parts.test].sort((a, b) => a - b),
    [...all.keys()],
  );
  t.end();
});

t.test('the seed decides, and nothing else', (t) => {
  const all = entries({ cat: 50, dog: 50 });
  t.same(splitDataset(all, SEEDED), splitDataset(all, SEEDED));
  t.notSame(splitDataset(all, { ...SEEDED, seed: 2 }).test, splitDataset(all, SEEDED).test);
  const more = [...all, ...entries({ emu: 50 })];
  t.same(
    splitDataset(more, SEEDED).test.filter((index) => index < 100),
    splitDataset(all, SEEDED).test,
    'a new class moves no image of the others',
  );
  t.end();
});

t.test('the only image of a class is for training, of two one is held out', (t) => {
  const all = entries({ one: 1, two: 2, ten: 10 });
  const parts = splitDataset(all, { ...SEEDED, testFraction: 0.5, validationFraction: 0.5 });
  t.same(countsOf(all, parts.test), { two: 1, ten: 5 });
  for (const label of ['one', 'two', 'ten']) t.ok(countsOf(all, parts.train)[label]);
  t.same(splitDataset(all, { ...SEEDED, testFraction: 0 }).test, []);
  t.end();
});

t.test('splits that came with the images stay', (t) => {
  const all = [
    ...entries({ cat: 3, dog: 3 }, 'train'),
    ...entries({ cat: 1, dog: 1 }, 'validation'),
    ...entries({ cat: 2, dog: 2 }, 'test'),
  ];
  t.same(splitDataset(all, { ...SEEDED, testFraction: 0.5, validationFraction: 0.5 }), {
    source: 'given',
    train: [0, 1, 2, 3, 4, 5],
    validation: [6, 7],
    test: [8, 9, 10, 11],
    testFraction: null,
    validationFraction: 0.5,
  });
  t.end();
});

t.test('without a test part the validation part is the held-out one', (t) => {
  const all = [...entries({ cat: 3, dog: 3 }, 'train'), ...entries({ cat: 1, dog: 1 }, 'validation')];
  t.match(splitDataset(all, SEEDED), { source: 'given', validation: [], test: [6, 7] });
  t.end();
});

t.test('images that are all for training are split by the seed', (t) => {
  const parts = splitDataset(entries({ cat: 10, dog: 10 }, 'train'), SEEDED);
  t.equal(parts.source, 'seeded');
  t.equal(parts.test.length, 4);
  t.end();
});

t.test('a class without training images is refused by name', (t) => {
  const all = [...entries({ cat: 3 }, 'train'), ...entries({ cat: 1, dog: 1 }, 'test')];
  t.throws(() => splitDataset(all, SEEDED), { code: 'class_without_training_examples', message: /'dog'/ });
  t.end();
});

t.test('folds part every class evenly; the only image of a class is never held out', (t) => {
  const all = entries({ cat: 10, dog: 7, one: 1 });
  const from = [...all.keys()];
  const folds = dealFolds(all, from, 5, 1);
  t.same(dealFolds(all, from, 5, 1), folds);
  t.equal(folds.get(17), -1);
  for (let fold = 0; fold < 5; fold += 1) {
    const held = countsOf(
      all,
      from.filter((index) => folds.get(index) === fold),
    );
    t.equal(held.cat, 2);
    t.ok(held.dog === 1 || held.dog === 2);
  }
  t.end();
});
