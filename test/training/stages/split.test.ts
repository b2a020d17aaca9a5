import { createHash } from 'node:crypto';
import fc from 'fast-check';
import t from 'tap';
import type { Split } from '../../../src/schemas/common.js';
import { dealFolds, type SplitEntry } from '../../../src/training/parts.js';
import type { Parts } from '../../../src/training/run.js';
import { splitDataset } from '../../../src/training/stages/split.js';

type Counts = Record<string, number>;

/** Examples of content that nobody else has. */
function entries(counts: Counts, split?: Split): SplitEntry[] {
  return Object.entries(counts).flatMap(([label, count]) =>
    Array.from({ length: count }, (_, n) => ({
      sha256: digest(`${label} ${n} ${split}`),
      label,
      ...(split && { split }),
    })),
  );
}

const digest = (text: string) => createHash('sha256').update(text).digest('hex');

const SEEDED = { seed: 1, testFraction: 0.2, validationFraction: undefined };

function countsOf(all: SplitEntry[], indices: number[]): Counts {
  const counts: Counts = {};
  for (const index of indices) counts[all[index]!.label] = (counts[all[index]!.label] ?? 0) + 1;
  return counts;
}

t.test('about the share of the fraction is held out, and every example is in one part', (t) => {
  const all = entries({ cat: 5000, dog: 2000, emu: 1000 });
  const parts = splitDataset(all, { ...SEEDED, validationFraction: 0.25 });
  t.equal(parts.source, 'seeded');
  t.ok(Math.abs(parts.test.length - 1600) < 100, String(parts.test.length));
  t.ok(Math.abs(parts.validation.length - 1600) < 100, String(parts.validation.length));
  t.same(
    [...parts.train, ...parts.validation, ...parts.test].sort((a, b) => a - b),
    [...all.keys()],
  );
  t.end();
});

t.test('the seed decides, and neither the order nor the names of examples and classes', (t) => {
  const all = entries({ cat: 50, dog: 50 });
  const held = (some: SplitEntry[], seed = 1) =>
    splitDataset(some, { ...SEEDED, seed })
      .test.map((index) => some[index]!.sha256)
      .sort();
  t.same(held([...all].reverse()), held(all));
  t.same(held(all.map((entry) => ({ ...entry, label: `my ${entry.label}` }))), held(all));
  t.notSame(held(all, 2), held(all));
  t.end();
});

t.test('the only example of a class is for training; of two, one is held out', (t) => {
  for (let seed = 0; seed < 50; seed += 1) {
    const all = entries({ one: 1, two: 2, ten: 10 });
    const parts = splitDataset(all, { seed, testFraction: 0.5, validationFraction: 0.5 });
    const test = countsOf(all, parts.test);
    t.same([test.one, test.two], [undefined, 1]);
    for (const label of ['one', 'two', 'ten']) t.ok(countsOf(all, parts.train)[label]);
    t.same(splitDataset(all, { ...SEEDED, testFraction: 0 }).test, []);
  }
  t.end();
});

t.test('a class of which none lies below the fraction gives one', (t) => {
  const all = entries({ cat: 40, dog: 3 });
  for (let seed = 0; seed < 50; seed += 1) {
    const { test } = splitDataset(all, { seed, testFraction: 0.001 });
    t.same(countsOf(all, test), { cat: 1, dog: 1 });
  }
  t.end();
});

t.test('another fraction moves only what lies between the two', (t) => {
  fc.assert(
    fc.property(
      fc.nat(),
      fc.double({ min: 0.001, max: 0.5, noNaN: true }),
      fc.double({ min: 0.001, max: 0.5, noNaN: true }),
      (seed, a, b) => {
        const all = entries({ cat: 60, dog: 7, emu: 2, one: 1 });
        const [small, large] = [Math.min(a, b), Math.max(a, b)].map(
          (testFraction) => new Set(splitDataset(all, { seed, testFraction }).test),
        ) as [Set<number>, Set<number>];
        return [...small].every((index) => large.has(index));
      },
    ),
  );
  t.end();
});

/** Changes of a data set, and the contents that they touch themselves. */
const CHANGES: Record<string, (all: SplitEntry[], pick: number) => { after: SplitEntry[]; touched: string[] }> = {
  add: (all, pick) => {
    const added = { sha256: digest(`added ${pick}`), label: all[pick % all.length]!.label };
    return { after: [...all, added], touched: [added.sha256] };
  },
  remove: (all, pick) => {
    const gone = pick % all.length;
    return { after: all.filter((_, index) => index !== gone), touched: [all[gone]!.sha256] };
  },
  relabel: (all, pick) => {
    const moved = pick % all.length;
    const label = all[(pick + 97) % all.length]!.label;
    return { after: all.map((entry, i) => (i === moved ? { ...entry, label } : entry)), touched: [all[moved]!.sha256] };
  },
  rename: (all, pick) => {
    const { label: old } = all[pick % all.length]!;
    const label = `${old} (renamed)`;
    return { after: all.map((entry) => (entry.label === old ? { ...entry, label } : entry)), touched: [] };
  },
};

/** What is asked of a data set: who is held out, or the fold of each content. */
const PLACES: Record<string, (all: SplitEntry[], seed: number) => Map<string, unknown>> = {
  'held out for testing': (all, seed) => membersOf(all, splitDataset(all, { seed, testFraction: 0.2 }).test),
  'held out for validation': (all, seed) =>
    membersOf(all, splitDataset(all, { seed, testFraction: 0, validationFraction: 0.1 }).validation),
  'in its fold': (all, seed) => {
    const folds = dealFolds(all, [...all.keys()], 5, seed);
    return new Map(all.map(({ sha256 }, index) => [sha256, folds.get(index)]));
  },
};

function membersOf(all: SplitEntry[], held: number[]): Map<string, boolean> {
  const inside = new Set(held);
  return new Map(all.map(({ sha256 }, index) => [sha256, inside.has(index)]));
}

/** The contents that a change has not touched, and those of them that are somewhere else after it. */
function untouched(
  all: SplitEntry[],
  change: string,
  pick: number,
  places: (all: SplitEntry[]) => Map<string, unknown>,
) {
  const { after, touched } = CHANGES[change]!(all, pick);
  const [before, now] = [places(all), places(after)];
  const others = all.filter(({ sha256 }) => now.has(sha256) && !touched.includes(sha256));
  const moved = others.filter(({ sha256 }) => now.get(sha256) !== before.get(sha256));
  const held = others.filter(({ sha256 }) => before.get(sha256) === true);
  return { others, moved, held };
}

const percent = (moved: number, all: number) => `${((100 * (all - moved)) / all).toFixed(1)} %`;

t.test('in classes of 30 and more every other example stays where it was, whatever is changed', (t) => {
  for (const [place, places] of Object.entries(PLACES)) {
    for (const change of Object.keys(CHANGES)) {
      const found = Array.from({ length: 10 }, (_, seed) => {
        const all = entries({ cat: 200, dog: 60, emu: 30, fox: 45 });
        return untouched(all, change, seed * 17, (some) => places(some, seed));
      });
      const held = found.reduce((sum, row) => sum + (place === 'in its fold' ? row.others : row.held).length, 0);
      const moved = found.reduce((sum, row) => sum + row.moved.length, 0);
      t.comment(`${change}: ${percent(moved, held)} of ${held} examples stay ${place}`);
      t.equal(moved, 0, `${change}, ${place}`);
    }
  }
  t.end();
});

t.test('in smaller classes at most one example of a changed class moves, the one that the rule gives', (t) => {
  const sizes = fc.array(fc.integer({ min: 1, max: 29 }), { minLength: 2, maxLength: 5 });
  for (const [place, places] of Object.entries(PLACES)) {
    for (const change of Object.keys(CHANGES)) {
      let [left, held] = [0, 0];
      fc.assert(
        fc.property(sizes, fc.nat(1000), fc.nat(), (counts, pick, seed) => {
          const all = entries(Object.fromEntries(counts.map((count, k) => [`class ${k}`, count])));
          const found = untouched(all, change, pick, (some) => places(some, seed));
          left += found.moved.filter((row) => found.held.includes(row)).length;
          held += found.held.length;
          return new Set(found.moved.map(({ label }) => label)).size === found.moved.length;
        }),
        { numRuns: 40, seed: 1 },
      );
      if (held > 0)
        t.comment(`${change}, classes of 1 to 29: ${percent(left, held)} of ${held} examples stay ${place}`);
    }
  }
  t.end();
});

t.test('splits that came with the examples stay', (t) => {
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
  } satisfies Parts);
  t.end();
});

t.test('without a test part the validation part is the held-out one', (t) => {
  const all = [...entries({ cat: 3, dog: 3 }, 'train'), ...entries({ cat: 1, dog: 1 }, 'validation')];
  t.match(splitDataset(all, SEEDED), { source: 'given', validation: [], test: [6, 7] });
  t.end();
});

t.test('examples that are all for training are split by the seed', (t) => {
  const parts = splitDataset(entries({ cat: 10, dog: 10 }, 'train'), SEEDED);
  t.equal(parts.source, 'seeded');
  t.ok(parts.test.length > 1);
  t.end();
});

t.test('a class without training examples is refused by name', (t) => {
  const all = [...entries({ cat: 3 }, 'train'), ...entries({ cat: 1, dog: 1 }, 'test')];
  t.throws(() => splitDataset(all, SEEDED), { code: 'class_without_training_examples', message: /'dog'/ });
  t.end();
});

t.test('every fit of a cross-validation knows every class; the only example of a class is never held out', (t) => {
  for (let seed = 0; seed < 50; seed += 1) {
    const all = entries({ cat: 10, dog: 7, two: 2, one: 1 });
    const from = [...all.keys()];
    const folds = dealFolds(all, from, 5, seed);
    t.same([...folds.keys()], from);
    t.equal(folds.get(from.at(-1)!), -1);
    for (let fold = 0; fold < 5; fold += 1) {
      const fit = countsOf(
        all,
        from.filter((index) => folds.get(index) !== fold),
      );
      t.ok(fit.cat && fit.dog && fit.two && fit.one, `seed ${seed}, fold ${fold}`);
    }
  }
  t.end();
});

t.test('folds are about as large as each other', (t) => {
  const all = entries({ cat: 3000, dog: 2000 });
  const folds = [...dealFolds(all, [...all.keys()], 5, 1).values()];
  for (let fold = 0; fold < 5; fold += 1) {
    const share = folds.filter((other) => other === fold).length / all.length;
    t.ok(Math.abs(share - 0.2) < 0.02, String(share));
  }
  t.end();
});

t.test('of fewer than 300 examples none is held out where cross-validation can judge', (t) => {
  const few = entries({ cat: 150, dog: 149 });
  t.same(splitDataset(few, { seed: 1, folded: true }).test, []);
  t.equal(splitDataset(few, { seed: 1, folded: true }).testFraction, 0);
  t.ok(splitDataset(few, { seed: 1, folded: false }).test.length > 40, 'a head that is judged on one fold alone');
  t.ok(splitDataset(few, { seed: 1, folded: true, testFraction: 0.1 }).test.length > 15, 'who asks gets a test part');
  t.ok(splitDataset(few, { seed: 1, folded: true, validationFraction: 0.1 }).test.length > 40);
  const given = [...entries({ cat: 9, dog: 9 }, 'train'), ...entries({ cat: 2, dog: 2 }, 'test')];
  t.equal(splitDataset(given, { seed: 1, folded: true }).test.length, 4, 'a part that came with it stays');
  t.ok(splitDataset(entries({ cat: 150, dog: 150 }), { seed: 1, folded: true }).test.length > 40);
  t.end();
});
