/** Sparse features give the heads that the same matrix gives when it is dense. */
import fc from 'fast-check';
import t from 'tap';
import { loadEngine } from '../../src/heads/engine.js';
import { Exemplars, writeExemplars } from '../../src/heads/exemplars.js';
import { type DenseLayer, score } from '../../src/heads/head.js';
import { headLogits } from '../../src/heads/head-logits.js';
import { fitPerceptron, type PerceptronOptions } from '../../src/heads/perceptron.js';
import { prototypes } from '../../src/heads/prototypes.js';
import { SoftmaxRegression } from '../../src/heads/softmax-regression.js';
import {
  readSparseHead,
  scoreSparse,
  sharesOf,
  sparseHead,
  weightedRow,
  writeSparseHead,
} from '../../src/heads/sparse-head.js';
import {
  dense,
  type Features,
  rowOf,
  type SparseFeatures,
  type SparseRow,
  stacked,
} from '../../src/numbers/features.js';
import { seededRandom } from '../../src/numbers/random.js';
import { accuracy } from '../../src/numbers/scores.js';
import { type SparseStandard, type Standard, standardise } from '../../src/numbers/standardise.js';
import { denseOf, sparseOf, wordy } from '../helpers/sparse.js';

const engine = await loadEngine();
const SMALL = wordy({ rows: 90, columns: 60, classes: 3, each: 8 });

function furthest(a: Float32Array, b: Float32Array): number {
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
}

async function softmaxFit(features: Features, y: Int32Array, classes: number, rowWeights: Float32Array) {
  const regression = new SoftmaxRegression({ features, y, classes });
  const fitted = await regression.fit({ rowWeights, weightDecay: 0.2, maxIterations: 200, tolerance: 0 });
  return { ...fitted, layer: regression.layer(fitted) };
}

t.test('softmax regression: the same loss and the same scores', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 2, max: 5 }), fc.integer({ min: 4, max: 40 }), fc.nat(), async (K, D, seed) => {
      const random = seededRandom(seed, 'matrix');
      const y = Int32Array.from({ length: 30 }, (_, row) => row % K);
      const matrix = dense(
        Float32Array.from({ length: 30 * D }, () => (random() < 0.7 ? 0 : 4 * (random() - 0.5))),
        D,
      );
      const rowWeights = Float32Array.from(y, () => (random() < 0.2 ? 0 : random()));
      const [one, other] = [
        await softmaxFit(matrix, y, K, rowWeights),
        await softmaxFit(sparseOf(matrix), y, K, rowWeights),
      ];
      t.ok(Math.abs(one.loss - other.loss) <= 1e-4 * one.loss, `${one.loss} = ${other.loss}`);
      t.ok(furthest(one.logits, other.logits) < 1e-3, String(furthest(one.logits, other.logits)));
      const scores = headLogits({ engine, layers: [other.layer], features: matrix, rows: [...y.keys()] });
      t.ok(furthest(other.logits, scores) < 1e-4, 'and its layer gives the scores of the fit');
    }),
    { numRuns: 8, seed: 1 },
  );
});

t.test('empty rows, columns that never occur and a class of one example are fitted and scored', async (t) => {
  const { features } = SMALL;
  const y = SMALL.y.map((k, row) => (k === 2 && row !== 5 ? 0 : k));
  const { layer, logits } = await softmaxFit(features, y, 3, new Float32Array(90).fill(1));
  t.ok(logits.every(Number.isFinite));
  t.same([...logits.subarray(0, 3)], [...layer.bias], 'an empty row gets the bias');
  t.ok(
    layer.kernel.subarray(59 * 3).every((weight) => weight === 0),
    'the last column never occurs',
  );
  const again = sparseOf(dense(new Float32Array(6 * 4), 4));
  const nothing = await softmaxFit(again, Int32Array.of(0, 0, 0, 0, 1, 1), 2, new Float32Array(6).fill(1));
  t.ok(Math.abs(nothing.logits[0]! - nothing.logits[1]! - Math.log(2)) < 1e-2, 'of nothing, frequencies');
});

t.test('rows of weight 0 leave no trace, and a fit starts where another one ended', async (t) => {
  const { features, y } = SMALL;
  const rowWeights = Float32Array.from(y, (_, row) => (row % 4 === 0 ? 0 : 1));
  const one = await softmaxFit(features, y, 3, rowWeights);
  const changed = { ...features, values: features.values.slice() };
  for (let row = 0; row < 90; row += 4) {
    changed.values.subarray(features.offsets[row], features.offsets[row + 1]).fill(9);
  }
  t.same((await softmaxFit(changed, y, 3, rowWeights)).point, one.point);
  const regression = new SoftmaxRegression({ features, y, classes: 3 });
  const shared = { rowWeights, weightDecay: 0.2, maxIterations: 50, tolerance: 1e-4 };
  t.ok((await regression.fit({ ...shared, start: one })).iterations <= 2);
  t.equal(one.point.length, 3 + 4 * features.rows, 'in lanes of four');
});

t.test('2,000 rows of 200 values in 65,536 columns are fitted in seconds', async (t) => {
  const { features, y } = wordy({ rows: 2000, columns: 1 << 16, classes: 10, each: 200, share: 0.4 });
  standardise(features, [...y.keys()]);
  const began = performance.now();
  const rowWeights = Float32Array.from(y, (_, row) => (row % 7 === 0 ? 0 : 1));
  const regression = new SoftmaxRegression({ features, y, classes: 10 });
  const { logits, iterations } = await regression.fit({
    rowWeights,
    weightDecay: 0.1,
    maxIterations: 1000,
    tolerance: 1e-4,
  });
  const seconds = (performance.now() - began) / 1000;
  const held = [...y.keys()].filter((row) => row % 7 === 0);
  const scores = Float32Array.from(held.flatMap((row) => [...logits.subarray(row * 10, (row + 1) * 10)]));
  t.ok(accuracy({ logits: scores, y: Int32Array.from(held, (row) => y[row]!), classes: 10 }) > 0.9);
  t.ok(seconds < 20, `${seconds.toFixed(1)} s, ${iterations} iterations`);
  t.comment(`${seconds.toFixed(1)} s, ${iterations} iterations`);
});

t.test('prototypes: the same layer; sparse rows are seen from 0', (t) => {
  const { features, y } = SMALL;
  const rowWeights = Float32Array.from(y, (_, row) => (row % 3 === 0 ? 0.5 : 1));
  const [one, other] = [features, denseOf(features)].map((matrix) =>
    prototypes({ features: matrix, y, classes: 3, rowWeights }),
  ) as [DenseLayer, DenseLayer];
  const lengths = (layer: DenseLayer) => Math.hypot(...layer.kernel);
  const scale = lengths(one) / lengths(other);
  t.ok(
    furthest(
      one.kernel,
      other.kernel.map((value) => value * scale),
    ) < 1e-6,
  );
  t.ok(Math.abs(scale - Math.sqrt(60 / 1024)) < 1e-6, 'scaled for rows as long as sparse ones are');
  const logits = headLogits({ engine, layers: [one], features, rows: [...y.keys()] });
  t.ok(accuracy({ logits, y, classes: 3 }) > 0.8);
  t.end();
});

function perceptron(features: Features, change: Partial<PerceptronOptions> = {}) {
  return fitPerceptron({
    engine,
    features,
    y: SMALL.y,
    classes: 3,
    train: Int32Array.from({ length: 70 }, (_, i) => i),
    validation: Int32Array.from({ length: 20 }, (_, i) => 70 + i),
    rowWeights: new Float32Array(90).fill(1),
    hiddenUnits: [8],
    schedule: 'constant' as const,
    dropout: 0.2,
    learningRate: 0.01,
    weightDecay: 1e-3,
    batchSize: 16,
    epochs: 10,
    patience: 0,
    random: seededRandom(4, 'fit'),
    ...change,
  });
}

t.test('a perceptron of the same seed: the same layers, without columns that do not occur', async (t) => {
  const { features, y } = SMALL;
  // Sparse rows of the usual length begin with smaller weights than dense ones, so the softmax layer alone is compared.
  const [one, other] = [
    await perceptron(features, { hiddenUnits: [] }),
    await perceptron(denseOf(features), { hiddenUnits: [] }),
  ];
  const used = new Set(features.indices.subarray(0, features.offsets[70]));
  t.ok(used.size < 60);
  const few = [...used].sort((a, b) => a - b);
  const only = dense(
    Float32Array.from([...y.keys()].flatMap((row) => few.map((c) => denseOf(features).values[row * 60 + c]!))),
    few.length,
  );
  const same = await perceptron(only, { hiddenUnits: [] });
  t.same(
    few.flatMap((column) => [...one.layers[0]!.kernel.subarray(column * 3, column * 3 + 3)]),
    [...same.layers[0]!.kernel],
  );
  t.ok(one.layers[0]!.kernel.subarray(59 * 3).every((weight) => weight === 0));
  t.notOk(other.layers[0]!.kernel.subarray(59 * 3).every((weight) => weight === 0));
  const mlp = await perceptron(features, { epochs: 30 });
  t.same(
    mlp.layers.map(({ inputs, units }) => [inputs, units]),
    [
      [60, 8],
      [8, 3],
    ],
  );
  const logits = headLogits({ engine, layers: mlp.layers, features, rows: [...y.keys()] });
  t.ok(accuracy({ logits, y, classes: 3 }) > 0.7);
});

t.test('a perceptron leaves no tensor behind, and takes sparse rows of nothing', async (t) => {
  const nothing = sparseOf(dense(new Float32Array(90 * 60), 60));
  await perceptron(nothing, { epochs: 1 });
  const before = engine.tf.memory().numTensors;
  const { layers } = await perceptron(nothing, { epochs: 1 });
  t.equal(engine.tf.memory().numTensors, before);
  t.ok(score({ layers }, rowOf(nothing, 0)).every(Number.isFinite));
});

/** A layer that was not fitted: what is compared does not depend on that. */
function anyLayer(inputs: number, units: number): DenseLayer {
  const random = seededRandom(inputs, 'layers');
  return {
    inputs,
    units,
    kernel: Float32Array.from({ length: inputs * units }, () => random() - 0.5),
    bias: Float32Array.from({ length: units }, () => random() - 0.5),
    activation: 'softmax',
  };
}

/** The same sparse features, with two dense columns behind them. */
function withDenseColumns(features: SparseFeatures): SparseFeatures {
  const random = seededRandom(3, 'beside');
  const rows = Array.from({ length: features.rows }, (_, row) => {
    const { indices, values } = rowOf(features, row) as SparseRow;
    const [D, beside] = [features.columns, [3 + random(), 10 * random()]];
    return {
      columns: D + 2,
      indices: Int32Array.of(...indices, D, D + 1),
      values: Float32Array.of(...values, ...beside),
    };
  });
  return stacked(rows, features.columns + 2) as SparseFeatures;
}

t.test('a compact head answers raw rows as its layer answers standardised ones, dense columns beside or not', (t) => {
  const plain = wordy({ rows: 90, columns: 600, classes: 3, each: 20 }).features;
  for (const [raw, dense] of [
    [plain, 0],
    [withDenseColumns(plain), 2],
  ] as const) {
    const features = { ...raw, values: raw.values.slice() };
    const known = [...Array(60).keys()];
    const standard = standardise(features, known, dense) as SparseStandard;
    const layer = anyLayer(raw.columns, 3);
    // A fit gives columns that none of its rows has the weight 0.
    const seen = new Set(known.flatMap((row) => [...(rowOf(raw, row) as SparseRow).indices]));
    for (let column = 0; column < raw.columns; column += 1) {
      if (!seen.has(column)) layer.kernel.fill(0, column * 3, column * 3 + 3);
    }
    const head = sparseHead({ layer, standard, features, rows: known, temperature: 2 });
    const stored = readSparseHead(writeSparseHead(head));
    t.same(stored, head);
    t.equal(head.shape.used, [...seen].filter((column) => column < 600).length);
    const logits = headLogits({ engine, layers: [layer], features, rows: [...Array(90).keys()] });
    for (let row = 0; row < 90; row += 1) {
      const one = scoreSparse(stored, rowOf(raw, row)).slice();
      const e = [...logits.subarray(row * 3, row * 3 + 3)].map((value) => Math.exp(value / 2));
      const expected = Float32Array.from(e, (value) => value / (e[0]! + e[1]! + e[2]!));
      t.ok(furthest(one, expected) < 1e-3, `row ${row}: ${one} instead of ${expected}`);
      const weighted = weightedRow(stored, rowOf(raw, row)).values.subarray(0, -dense || undefined);
      const standardised = (rowOf(features, row) as SparseRow).values.subarray(0, -dense || undefined);
      t.ok(furthest(weighted, standardised) < 1e-4);
    }
  }
  t.end();
});

t.test('what the values of a row add to a score, with the bias, is the score over the mean of all classes', (t) => {
  const raw = withDenseColumns(wordy({ rows: 90, columns: 600, classes: 3, each: 20 }).features);
  const features = { ...raw, values: raw.values.slice() };
  const rows = [...Array(90).keys()];
  const standard = standardise(features, rows, 2) as SparseStandard;
  const head = sparseHead({ layer: anyLayer(602, 3), standard, features, rows, temperature: 1 });
  for (const row of [1, 17, 89]) {
    const logs = scoreSparse(head, rowOf(raw, row)).map(Math.log);
    const mean = (logs[0]! + logs[1]! + logs[2]!) / 3;
    for (let k = 0; k < 3; k += 1) {
      const { shares, bias } = sharesOf(head, rowOf(raw, row), k);
      const sum = shares.reduce((total, share) => total + share, bias);
      t.ok(Math.abs(sum - (logs[k]! - mean)) < 1e-4, `${sum} = ${logs[k]! - mean}`);
    }
  }
  t.end();
});

t.test('a compact head that is damaged, or is given features of another kind, is refused', (t) => {
  const { features } = SMALL;
  const standard = standardise({ ...features, values: features.values.slice() }, [0, 1, 2, 3]) as SparseStandard;
  const head = sparseHead({ layer: anyLayer(60, 3), standard, features, rows: [0, 1, 2, 3], temperature: 1 });
  const files = writeSparseHead(head);
  const damaged = { code: 'version_damaged' };
  t.throws(() => readSparseHead({ ...files, weights: files.weights.subarray(1) }), damaged);
  t.throws(() => readSparseHead({ ...files, weights: new Uint8Array(files.weights.length + 2) }), damaged);
  t.throws(() => readSparseHead({ ...files, shape: '{' }), damaged);
  t.throws(() => readSparseHead({ ...files, shape: '{"columns":60,"dense":0,"classes":3,"used":1}' }), damaged);
  t.throws(() => scoreSparse(head, new Float32Array(60)), damaged);
  t.throws(() => scoreSparse(head, { columns: 61, indices: new Int32Array(0), values: new Float32Array(0) }), damaged);
  const nothing = scoreSparse(head, { columns: 60, indices: new Int32Array(0), values: new Float32Array(0) });
  t.ok(nothing.every(Number.isFinite), 'a row of nothing has an answer');
  t.end();
});

t.test('exemplars: sparse ones are stored in a few bytes a value, and the nearest are those of the dense ones', (t) => {
  const standard = ({ kind, columns }: Features): Standard => {
    const plain = { mean: new Float32Array(columns), deviation: new Float32Array(columns).fill(1) };
    return kind === 'dense' ? { kind, ...plain } : { kind, ...plain, weights: new Float32Array(0), unseenWeight: 1 };
  };
  for (const { features } of [SMALL, wordy({ rows: 40, columns: 70_000, classes: 2, each: 30 })]) {
    const rows = [0, 3, 4, 8, 20, 33];
    const examples = rows.map((row) => ({ sha256: String(row).padStart(64, '0'), name: `${row}.txt`, label: 'a' }));
    const write = (matrix: Features) =>
      writeExemplars({ examples, rows, of: 40, features: matrix, standard: standard(matrix) });
    const files = write(features);
    const count = rows.reduce((sum, row) => sum + features.offsets[row + 1]! - features.offsets[row]!, 0);
    t.equal(files.features.length, 4 * 7 + count * (features.columns > 65_536 ? 5 : 3));
    const [sparse, wide] = [new Exemplars(files), new Exemplars(write(denseOf(features)))];
    t.same([sparse.examples, sparse.of], [6, 40]);
    for (const row of [3, 4, 5, 9, 20]) {
      const [found, expected] = [sparse, wide].map((exemplars, i) =>
        exemplars.nearest(rowOf(i === 0 ? features : denseOf(features), row), 6),
      );
      t.same(found, expected);
      if (rows.includes(row)) t.ok(found![0]!.name === `${row}.txt` && found![0]!.similarity > 0.999);
    }
    t.equal(sparse.nearest(rowOf(features, 0), 6)[0]!.similarity, 0, 'an empty row is like nothing');
  }
  t.end();
});

t.test('sparse exemplars that do not fit are refused', (t) => {
  const { features } = SMALL;
  const examples = [1, 2].map((row) => ({ sha256: String(row).repeat(64), name: `${row}.txt`, label: 'a' }));
  const standard = standardise({ ...features, values: features.values.slice() }, [1, 2]);
  const files = writeExemplars({ examples, rows: [1, 2], of: 2, features, standard });
  const damaged = { code: 'version_damaged' };
  t.throws(() => new Exemplars({ ...files, features: files.features.subarray(1) }), damaged);
  t.throws(() => new Exemplars({ ...files, features: new Uint8Array(0) }), damaged);
  const beyond = files.features.slice();
  beyond[12] = 60; // the first column
  t.throws(() => new Exemplars({ ...files, features: beyond }), damaged);
  t.throws(() => new Exemplars(files).nearest(new Float32Array(60), 1), damaged, 'dense features');
  t.throws(() => new Exemplars(files).nearest({ ...(rowOf(features, 1) as object), columns: 61 } as never, 1), damaged);
  t.end();
});
