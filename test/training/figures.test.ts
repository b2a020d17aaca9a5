import t from 'tap';
import { seededRandom } from '../../src/numbers/random.js';
import { accuracy, fitTemperature, logLoss, wilsonInterval } from '../../src/numbers/scores.js';
import { figuresOf } from '../../src/training/figures.js';

const near = (a: number, b: number, tolerance = 1e-6) => Math.abs(a - b) < tolerance;

/** Logits whose softmax are these probabilities. */
function scored(rows: number[][], truth: number[]) {
  return { logits: Float32Array.from(rows.flat(), Math.log), y: Int32Array.from(truth), classes: rows[0]!.length };
}

const FOUR = scored(
  [
    [0.7, 0.2, 0.1],
    [0.6, 0.3, 0.1],
    [0.3, 0.6, 0.1],
    [0.1, 0.8, 0.1],
  ],
  [0, 1, 1, 1],
);
const OPTIONS = { on: 'test' as const, labels: ['cat', 'dog', 'emu'], trainCounts: [5, 6, 7], temperature: 1 };

t.test('the figures are those computed by hand', (t) => {
  const report = figuresOf(FOUR, OPTIONS);
  t.same(report.confusion.matrix, [
    [1, 0, 0],
    [1, 2, 0],
    [0, 0, 0],
  ]);
  t.equal(report.examples, 4);
  t.equal(report.accuracy, 0.75);
  t.equal(report.top_5_accuracy, 1);
  const [cat, dog, emu] = report.classes;
  t.match(cat, { label: 'cat', precision: 1 / 2, recall: 1, support: 1, train_examples: 5 });
  t.match(dog, { precision: 1, recall: 2 / 3, support: 3, train_examples: 6 });
  t.match(emu, { precision: null, recall: null, f1: null, support: 0, train_examples: 7 });
  t.ok(near(cat!.f1!, 2 / 3) && near(dog!.f1!, 4 / 5));
  t.same(report.untested, ['emu']);
  t.equal(report.balanced_accuracy, null, 'no mean is taken where a class is untested');
  t.equal(report.macro_f1, null);
  t.equal(report.baseline_accuracy, 0, 'the class with most training examples is emu');
  const [low, high] = report.accuracy_interval!;
  t.ok(near(low!, 0.3006, 1e-3) && near(high!, 0.9544, 1e-3), `${low} to ${high}`);
  t.ok(near(report.log_loss, -(Math.log(0.7) + Math.log(0.3) + Math.log(0.6) + Math.log(0.8)) / 4));
  // Bins of tenths: 0.6 twice (one right), 0.7 and 0.8 once each (right).
  const gaps = Math.abs(1.2 - 1) + 0.3 + 0.2;
  t.ok(near(report.calibration.expected_error, gaps / 4, 1e-6));
  t.equal(
    report.calibration.bins.reduce((sum, { examples: images }) => sum + images, 0),
    4,
  );
  t.end();
});

t.test('means are those of all classes where each is tested', (t) => {
  const two = scored(
    [
      [0.9, 0.1],
      [0.2, 0.8],
      [0.6, 0.4],
    ],
    [0, 1, 1],
  );
  const report = figuresOf(two, { ...OPTIONS, labels: ['cat', 'dog'], trainCounts: [2, 4] });
  t.same(report.untested, []);
  t.ok(near(report.balanced_accuracy!, (1 + 1 / 2) / 2));
  t.ok(near(report.macro_f1!, (2 / 3 + 2 / 3) / 2));
  t.ok(near(report.baseline_accuracy!, 2 / 3));
  t.end();
});

t.test('intervals of few, of all and of none', (t) => {
  t.same(wilsonInterval(0, 0), [0, 1]);
  t.ok(near(wilsonInterval(12, 12)[0], 0.7575, 1e-3) && wilsonInterval(12, 12)[1] === 1);
  t.ok(wilsonInterval(0, 5)[0] === 0 && near(wilsonInterval(0, 5)[1], 0.4345, 1e-3));
  t.ok(near(wilsonInterval(90, 100)[0], 0.8256, 1e-3) && near(wilsonInterval(90, 100)[1], 0.9448, 1e-3));
  t.end();
});

t.test('top-5 counts a truth with fewer than five better ones', (t) => {
  const row = [0.3, 0.25, 0.2, 0.1, 0.08, 0.07];
  const six = scored([row, row], [4, 5]);
  t.equal(figuresOf(six, { ...OPTIONS, labels: [...'abcdef'], trainCounts: [1, 1, 1, 1, 1, 1] }).top_5_accuracy, 0.5);
  t.end();
});

t.test('a temperature changes the confidence and never the class', (t) => {
  const cool = figuresOf(FOUR, { ...OPTIONS, temperature: 4 });
  t.same(cool.confusion, figuresOf(FOUR, OPTIONS).confusion);
  t.ok(cool.calibration.bins[0]!.confidence < 0.5);
  t.ok(near(logLoss(FOUR, 1e6), Math.log(3), 1e-4));
  t.equal(accuracy(FOUR), 0.75);
  t.end();
});

t.test('a probability of nothing costs much, but not everything', (t) => {
  t.ok(Number.isFinite(logLoss({ logits: Float32Array.of(1000, -1000), y: Int32Array.of(1), classes: 2 })));
  t.end();
});

t.test('where every held-out image was right, a doubt about the next one stays', (t) => {
  const n = 100;
  const logits = Float32Array.from({ length: 2 * n }, (_, i) => (i % 4 === 0 || i % 4 === 3 ? 5 : -5));
  const y = Int32Array.from({ length: n }, (_, i) => i % 2);
  const temperature = fitTemperature({ logits, y, classes: 2 });
  const confidence = 1 / (1 + Math.exp(-10 / temperature));
  t.ok(near(confidence, 1 - 1 / (n + 2), 1e-4), String(confidence));
  t.end();
});

t.test('the temperature of scores that were made too sure is found', (t) => {
  const random = seededRandom(1, 'temperature');
  const [n, K] = [4000, 4];
  for (const temperature of [0.5, 1, 2.5]) {
    const logits = new Float32Array(n * K);
    const y = new Int32Array(n);
    for (let i = 0; i < n; i += 1) {
      const row = Array.from({ length: K }, () => 4 * random());
      const sum = row.reduce((total, value) => total + Math.exp(value), 0);
      let left = random();
      y[i] = row.findIndex((value) => {
        left -= Math.exp(value) / sum;
        return left < 1e-9;
      });
      logits.set(
        row.map((value) => value * temperature),
        i * K,
      );
    }
    const found = fitTemperature({ logits, y, classes: K });
    t.ok(Math.abs(found / temperature - 1) < 0.1, `${temperature}: ${found}`);
  }
  t.equal(fitTemperature(FOUR), 1, 'four images say nothing');
  t.end();
});
