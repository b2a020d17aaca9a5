import t from 'tap';
import { loadEngine } from '../../../src/heads/engine.js';
import { headLogits } from '../../../src/heads/head-logits.js';
import { dense } from '../../../src/numbers/features.js';
import { seededRandom } from '../../../src/numbers/random.js';
import { standardise } from '../../../src/numbers/standardise.js';
import type { HeadOptions } from '../../../src/training/choose-head/contract.js';
import { fitHead, leavesPerceptronOut } from '../../../src/training/choose-head/fit-head.js';
import type { Samples } from '../../../src/training/choose-head/samples.js';
import { dealFolds } from '../../../src/training/parts.js';
import { wordy } from '../../helpers/sparse.js';

const engine = await loadEngine();
const D = 6;

/** `N` images of each label; `noise` 0.3 keeps the classes apart, 3 does not. */
function samplesOf(counts: number[], noise: number): Samples {
  const random = seededRandom(3, 'samples');
  const y = Int32Array.from(counts.flatMap((count, k) => Array<number>(count).fill(k)));
  const x = Float32Array.from({ length: y.length * D }, (_, i) => {
    const [image, d] = [Math.floor(i / D), i % D];
    return (d % counts.length === y[image] ? 1.5 : 0) + noise * (random() + random() - 1);
  });
  return { features: dense(x, D), y, origin: Int32Array.from(y.keys()), labels: counts.map((_, k) => `class ${k}`) };
}

function valuesOf({ features }: Samples): Float32Array {
  return features.values as Float32Array;
}

function optionsOf(samples: Samples, change: Partial<HeadOptions> = {}): HeadOptions {
  const train = [...samples.y.keys()];
  const entries = Array.from(samples.y, (k, i) => ({ sha256: String(i), label: samples.labels[k]! }));
  return {
    engine,
    samples,
    train,
    validation: [],
    folds: dealFolds(entries, train, 5, 1),
    foldCount: 5,
    finalFit: train,
    head: 'auto',
    hyperparameters: {},
    seed: 1,
    onEpoch: () => undefined,
    onProgress: () => undefined,
    ...change,
  };
}

function guesses(samples: Samples, layers: Parameters<typeof headLogits>[0]['layers']): number[] {
  const K = samples.labels.length;
  const logits = headLogits({ engine, layers, features: samples.features, rows: [...samples.y.keys()] });
  return Array.from(samples.y, (_, i) => {
    const row = [...logits.subarray(i * K, i * K + K)];
    return row.indexOf(Math.max(...row));
  });
}

function hitRate(samples: Samples, layers: Parameters<typeof headLogits>[0]['layers']): number {
  return guesses(samples, layers).filter((guess, i) => guess === samples.y[i]).length / samples.y.length;
}

const APART = samplesOf([30, 30, 30], 0.3);
const MIXED = samplesOf([60, 60], 3);

t.test('classes that lie apart are learnt to 100 %, by every head and optimizer', async (t) => {
  for (const change of [
    { head: 'linear' },
    { head: 'auto' },
    { head: 'linear', hyperparameters: { optimizer: 'adam', learning_rate: 0.05 } },
    { head: 'mlp', hyperparameters: { hidden_units: 16, learning_rate: 0.01 } },
  ] as Partial<HeadOptions>[]) {
    const fitted = await fitHead(optionsOf(APART, change));
    t.equal(hitRate(APART, fitted.layers), 1, JSON.stringify(change));
    t.equal(fitted.kind, change.head === 'mlp' ? 'mlp' : 'linear');
    t.ok(fitted.curves.length > 0 && fitted.candidates.length > 0);
  }
});

t.test('every training image is scored by a fit that did not see it', async (t) => {
  const fitted = await fitHead(optionsOf(MIXED, { head: 'linear' }));
  t.equal(fitted.heldOut!.y.length, 120);
  t.same([...fitted.heldOut!.y], [...MIXED.y]);
  t.ok(fitted.heldOut!.logits.every((value) => Number.isFinite(value)));
});

t.test('noisy classes get a firmer penalty than clear ones, and the chosen one is among those tried', async (t) => {
  const [clear, noisy] = [await fitHead(optionsOf(APART)), await fitHead(optionsOf(MIXED))];
  t.ok((noisy.settings.weight_decay as number) > (clear.settings.weight_decay as number));
  for (const { settings, candidates } of [clear, noisy]) {
    t.ok(candidates.some(({ weight_decay }) => weight_decay === settings.weight_decay));
    t.ok(candidates.length > 2);
  }
});

t.test('what the user sets is used and said', async (t) => {
  const linear = await fitHead(optionsOf(MIXED, { head: 'linear', hyperparameters: { weight_decay: 0.5, epochs: 3 } }));
  t.match(linear.settings, { head: 'linear', optimizer: 'lbfgs', weight_decay: 0.5, epochs: 3 });
  t.same(
    linear.candidates.map(({ weight_decay }) => weight_decay),
    [0.5],
  );
  const wanted = {
    epochs: 4,
    batch_size: 7,
    learning_rate: 0.02,
    weight_decay: 0.1,
    early_stopping: 0,
    dropout: 0.25,
    hidden_units: 9,
  };
  const mlp = await fitHead(optionsOf(MIXED, { head: 'mlp', hyperparameters: wanted, folds: new Map() }));
  t.match(mlp.settings, { head: 'mlp', optimizer: 'adam', ...wanted });
  t.equal(mlp.layers[0]!.units, 9);
  t.equal(mlp.curves.length, 4);
});

t.test('a learning rate or batch size means Adam', async (t) => {
  for (const hyperparameters of [{ learning_rate: 0.01 }, { batch_size: 16 }, { optimizer: 'adam' as const }]) {
    const { settings } = await fitHead(optionsOf(APART, { hyperparameters: { ...hyperparameters, epochs: 2 } }));
    t.match(settings, { head: 'linear', optimizer: 'adam', ...hyperparameters });
  }
});

t.test('with head auto, a setting that belongs to one kind of head chooses it', async (t) => {
  const kindOf = async (hyperparameters: HeadOptions['hyperparameters'], samples = APART) =>
    (await fitHead(optionsOf(samples, { hyperparameters }))).kind;
  t.equal(await kindOf({ hidden_units: 8, epochs: 3 }), 'mlp');
  t.equal(await kindOf({ dropout: 0.1, epochs: 3 }), 'mlp');
  t.equal(await kindOf({ hidden_units: 'auto' }), 'linear');
  t.equal(await kindOf({ optimizer: 'lbfgs' }), 'linear');
});

t.test('a fit that diverges is refused, and the learning rate is named', async (t) => {
  const hyperparameters = { learning_rate: 10, weight_decay: 1000, epochs: 200, early_stopping: 0 } as const;
  const huge = {
    ...APART,
    features: dense(
      valuesOf(APART).map((value) => value * 1e38),
      D,
    ),
  };
  await t.rejects(fitHead(optionsOf(huge, { head: 'mlp', hyperparameters })), {
    code: 'training_diverged',
    message: /learning_rate/,
  });
});

t.test('early stopping ends L-BFGS, too', async (t) => {
  const all = await fitHead(optionsOf(MIXED, { hyperparameters: { weight_decay: 0 } }));
  const stopped = await fitHead(optionsOf(MIXED, { hyperparameters: { weight_decay: 0, early_stopping: 1 } }));
  t.ok((stopped.settings.epochs as number) < (all.settings.epochs as number));
});

t.test('class weights decide what an image of two minds is taken for', async (t) => {
  const skewed = samplesOf([100, 10], 4);
  const rare = async (class_weights: 'none' | 'balanced' | Record<string, number>) => {
    const { layers } = await fitHead(optionsOf(skewed, { hyperparameters: { class_weights, weight_decay: 0.1 } }));
    return guesses(skewed, layers).filter((guess) => guess === 1).length;
  };
  const [none, balanced] = [await rare('none'), await rare('balanced')];
  t.ok(balanced > none, `${balanced} > ${none}`);
  t.ok((await rare({ 'class 1': 50 })) > balanced);
  t.equal(await rare({ 'class 1': 0 }), 0);
});

t.test('a validation part chooses instead of folds, and the final fit may use it', async (t) => {
  const train = [...MIXED.y.keys()].filter((i) => i % 3 !== 0);
  const validation = [...MIXED.y.keys()].filter((i) => i % 3 === 0);
  const options = { train, validation, folds: new Map<number, number>() };
  const without = await fitHead(optionsOf(MIXED, { ...options, finalFit: train }));
  const both = await fitHead(optionsOf(MIXED, { ...options, finalFit: [...train, ...validation] }));
  t.equal(without.heldOut!.y.length, validation.length);
  t.same(both.heldOut, without.heldOut);
  t.notSame(both.layers[0]!.kernel, without.layers[0]!.kernel);
});

t.test('with nothing to hold out it fits on defaults and says nothing of itself', async (t) => {
  const tiny = samplesOf([1, 1], 0.1);
  for (const head of ['auto', 'linear', 'mlp'] as const) {
    const fitted = await fitHead(optionsOf(tiny, { head, folds: new Map(), hyperparameters: { epochs: 30 } }));
    t.equal(fitted.heldOut, undefined);
    t.equal(fitted.temperature, 1);
    t.same(fitted.candidates, []);
    t.equal(hitRate(tiny, fitted.layers), 1, head);
  }
});

t.test('the same seed gives the same bits', async (t) => {
  for (const head of ['linear', 'mlp'] as const) {
    const options = optionsOf(MIXED, { head, hyperparameters: { epochs: 5 } });
    const [one, two] = [await fitHead(options), await fitHead(options)];
    t.same(two.layers, one.layers);
    t.equal(two.temperature, one.temperature);
  }
});

t.test('progress rises to 1', async (t) => {
  for (const head of ['linear', 'mlp'] as const) {
    const shares: number[] = [];
    await fitHead(
      optionsOf(APART, { head, hyperparameters: { epochs: 5 }, onProgress: (share) => shares.push(share) }),
    );
    t.same(
      shares,
      [...shares].sort((a, b) => a - b),
    );
    t.equal(shares.at(-1), 1);
  }
});

t.test('a prototype head chooses the class whose mean direction is nearest by cosine', async (t) => {
  const noisy = samplesOf([5, 5, 5], 1);
  const fitted = await fitHead(optionsOf(noisy, { head: 'prototype' }));
  t.equal(fitted.kind, 'prototype');
  t.equal(fitted.heldOut!.y.length, 15, 'each image is scored by prototypes that it is no part of');
  const unit = (values: number[]) => values.map((value) => value / Math.hypot(...values));
  const rows = Array.from(noisy.y, (_, i) => unit([...valuesOf(noisy).subarray(i * D, (i + 1) * D)]));
  const means = noisy.labels.map((_, k) => {
    const own = rows.filter((_row, i) => noisy.y[i] === k);
    return unit(Array.from({ length: D }, (_v, d) => own.reduce((sum, row) => sum + row[d]!, 0)));
  });
  const nearest = rows.map((row) => {
    const cosines = means.map((mean) => mean.reduce((sum, value, d) => sum + value * row[d]!, 0));
    return cosines.indexOf(Math.max(...cosines));
  });
  t.same(guesses(noisy, fitted.layers), nearest);
});

t.test(
  'one image per class makes prototypes; a class with a hundred times the images does not outweigh the rest',
  async (t) => {
    const single = samplesOf([1, 1, 1, 1], 0.3);
    const one = await fitHead(optionsOf(single, { head: 'prototype', folds: new Map() }));
    t.equal(hitRate(single, one.layers), 1);
    t.equal(one.heldOut, undefined);
    t.equal(one.temperature, 1);

    const uneven = samplesOf([200, 2], 1);
    const fitted = await fitHead(optionsOf(uneven, { head: 'prototype' }));
    t.same(guesses(uneven, fitted.layers).slice(200), [1, 1]);
  },
);

t.test('many classes with few images each are learnt by both linear and prototype heads', async (t) => {
  const random = seededRandom(5, 'many');
  const [K, wide] = [150, 60];
  const means = Float32Array.from({ length: K * wide }, () => random() + random() - 1);
  const y = Int32Array.from({ length: K * 4 }, (_, i) => i % K);
  const x = Float32Array.from(
    { length: y.length * wide },
    (_, i) => 2 * means[y[Math.floor(i / wide)]! * wide + (i % wide)]! + 0.5 * (random() - 0.5),
  );
  const samples = {
    features: dense(x, wide),
    y,
    origin: Int32Array.from(y.keys()),
    labels: Array.from({ length: K }, (_, k) => `${k}`),
  };
  for (const head of ['linear', 'prototype'] as const) {
    const fitted = await fitHead(optionsOf(samples, { head }));
    t.ok(hitRate(samples, fitted.layers) > 0.98, head);
    t.ok(
      fitted.candidates.every(({ accuracy }) => accuracy > 0.9),
      head,
    );
  }
});

t.test('of very many examples no hidden layer is tried unasked, for it would take minutes', async (t) => {
  const few = samplesOf([1100, 1100], 1);
  const many = samplesOf([10_001, 10_001], 1);
  const kinds = async (samples: Samples) => {
    const { candidates } = await fitHead(optionsOf(samples));
    return [...new Set(candidates.map(({ head }) => head))];
  };
  t.same(await kinds(few), ['linear', 'mlp']);
  t.same(await kinds(many), ['linear']);
  t.equal(leavesPerceptronOut(optionsOf(few)), false);
  t.equal(leavesPerceptronOut(optionsOf(many)), true);
  t.equal(leavesPerceptronOut(optionsOf(many, { head: 'linear' })), false);
});

t.test('sparse features: every head is fitted, and of many examples no hidden layer is tried unasked', async (t) => {
  const { features, y } = wordy({ rows: 120, columns: 400, classes: 3, each: 15, share: 0.6 });
  standardise(features, [...y.keys()]);
  const samples = { features, y, origin: Int32Array.from(y.keys()), labels: ['a', 'b', 'c'] };
  for (const head of ['linear', 'prototype', 'mlp'] as const) {
    const fitted = await fitHead(optionsOf(samples, { head, hyperparameters: { epochs: 20 } }));
    t.ok(hitRate(samples, fitted.layers) > 0.9, head);
    t.equal(fitted.heldOut!.y.length > 0, true);
  }
  const many = wordy({ rows: 2400, columns: 300, classes: 3, each: 6 });
  const all = { ...samples, ...many, origin: Int32Array.from(many.y.keys()) };
  const { kind, candidates } = await fitHead(optionsOf(all, { hyperparameters: { weight_decay: 0.1 } }));
  t.same([kind, ...new Set(candidates.map(({ head }) => head))], ['linear', 'linear']);
});
