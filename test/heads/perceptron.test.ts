import t from 'tap';
import { loadEngine } from '../../src/heads/engine.js';
import { score } from '../../src/heads/head.js';
import { fitPerceptron, type PerceptronEpoch, type PerceptronOptions } from '../../src/heads/perceptron.js';
import { dense } from '../../src/numbers/features.js';
import { seededRandom } from '../../src/numbers/random.js';

const engine = await loadEngine();
const N = 120;

/** Four clouds at the corners of a square; opposite corners are of one class, so that no line parts them. */
const random = seededRandom(1, 'xor');
const x = Float32Array.from({ length: N * 2 }, (_, i) => {
  const corner = Math.floor(i / 2) % 4;
  return (i % 2 === 0 ? (corner & 1 ? 1 : -1) : corner & 2 ? 1 : -1) + 0.4 * (random() - 0.5);
});
const y = Int32Array.from({ length: N }, (_, i) => (i % 4 === 0 || i % 4 === 3 ? 0 : 1));

function fit(options: Partial<PerceptronOptions> = {}) {
  return fitPerceptron({
    engine,
    features: dense(x, 2),
    y,
    classes: 2,
    train: Int32Array.from({ length: 80 }, (_, i) => i),
    validation: Int32Array.from({ length: 40 }, (_, i) => 80 + i),
    rowWeights: new Float32Array(N).fill(1),
    hiddenUnits: [16],
    schedule: 'constant' as const,
    dropout: 0,
    learningRate: 0.02,
    weightDecay: 0,
    batchSize: 16,
    epochs: 40,
    patience: 0,
    random: seededRandom(7, 'fit'),
    ...options,
  });
}

function hits(layers: Awaited<ReturnType<typeof fit>>['layers'], images: number[]): number {
  return images.filter((i) => score({ layers }, x.subarray(2 * i, 2 * i + 2))[y[i]!]! > 0.5).length;
}

const HELD = Array.from({ length: 40 }, (_, i) => 80 + i);

t.test('with a hidden layer it learns what no line can part; without one it does not', async (t) => {
  t.equal(hits((await fit()).layers, HELD), 40);
  t.ok(hits((await fit({ dropout: 0.2 })).layers, HELD) >= 38, 'also with dropout');
  const linear = await fit({ hiddenUnits: [] });
  t.equal(linear.layers.length, 1);
  t.ok(hits(linear.layers, HELD) < 34);
});

t.test('hidden layers follow one another, each with its own width and dropout', async (t) => {
  const { layers } = await fit({ hiddenUnits: [12, 7, 5], dropout: 0.1, epochs: 60 });
  t.same(
    layers.map(({ inputs, units, activation }) => [inputs, units, activation]),
    [
      [2, 12, 'relu'],
      [12, 7, 'relu'],
      [7, 5, 'relu'],
      [5, 2, 'softmax'],
    ],
  );
  t.ok(hits(layers, HELD) >= 38);
});

t.test('a fit on other examples takes the rates that a plateau gave', async (t) => {
  const wrong = y.map((value, i) => (i < 80 ? value : 1 - value));
  const { rates } = await fit({ y: wrong, schedule: 'plateau', epochs: 12 });
  t.equal(rates.length, 12);
  t.equal(rates[0], 0.02);
  t.ok(rates.at(-1)! < 0.02 / 20, `${rates}`);
  const again = await fit({ schedule: 'plateau', epochs: 12, rates, validation: new Int32Array(0) });
  t.same(again.rates, rates);
});

t.test('the same seed gives the same bits, another seed others', async (t) => {
  const short = { epochs: 3, dropout: 0.5 };
  const [one, two] = [await fit(short), await fit(short)];
  t.same(two, one);
  const other = await fit({ ...short, random: seededRandom(8, 'fit') });
  t.notSame(other.layers[0]!.kernel, one.layers[0]!.kernel);
});

t.test('the layers are those of the epoch with the least validation loss, and patience ends the fit', async (t) => {
  // Validation labels are wrong: the better the fit, the greater the loss.
  const wrong = y.map((value, i) => (i < 80 ? value : 1 - value));
  const epochs: PerceptronEpoch[] = [];
  const fitted = await fit({ y: wrong, patience: 3, onEpoch: (epoch) => epochs.push(epoch) });
  t.ok(fitted.bestEpoch < 10, String(fitted.bestEpoch));
  t.equal(epochs.length, fitted.bestEpoch + 3);
  const atBest = epochs[fitted.bestEpoch - 1]!.validationLogits;
  HELD.forEach((image, row) => {
    const [first] = score(fitted, x.subarray(2 * image, 2 * image + 2));
    const gap = atBest[2 * row]! - atBest[2 * row + 1]!;
    t.ok(Math.abs(first! - 1 / (1 + Math.exp(-gap))) < 1e-4);
  });
  t.ok(epochs.at(-1)!.trainLoss < epochs[0]!.trainLoss);
});

t.test('without validation images the last epoch counts', async (t) => {
  const fitted = await fit({ validation: new Int32Array(0), epochs: 5, patience: 1 });
  t.equal(fitted.bestEpoch, 5);
});

t.test('images of weight 0 do not count, and a penalty keeps weights small', async (t) => {
  const rowWeights = Float32Array.from(y, (truth) => (truth === 0 ? 1 : 0));
  const { layers } = await fit({ rowWeights, epochs: 10 });
  t.equal(hits(layers, HELD), 20, 'all are taken for the only class that counts');
  const size = async (weightDecay: number) => Math.hypot(...(await fit({ weightDecay, epochs: 20 })).layers[0]!.kernel);
  t.ok((await size(0.3)) < 0.7 * (await size(0)));
});

t.test('no tensor is left behind', async (t) => {
  await fit({ epochs: 1 });
  const before = engine.tf.memory().numTensors;
  await fit({ epochs: 2, dropout: 0.5 });
  t.equal(engine.tf.memory().numTensors, before);
});
