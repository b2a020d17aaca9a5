import t from 'tap';
import { type DenseLayer, folded, type Head, headBytes, score } from '../../src/heads/head.js';

function layer(inputs: number, units: number, activation: DenseLayer['activation'], seed: number): DenseLayer {
  const value = (i: number) => Math.sin(seed + 1.7 * i);
  return {
    inputs,
    units,
    kernel: Float32Array.from({ length: inputs * units }, (_, i) => value(i)),
    bias: Float32Array.from({ length: units }, (_, i) => value(i + 100)),
    activation,
  };
}

const HEADS: Head[] = [
  { layers: [layer(4, 3, 'softmax', 1)] },
  { layers: [layer(4, 5, 'relu', 2), layer(5, 3, 'softmax', 3)] },
];

/** Logits straight from the definition, in double precision. */
function logits({ layers }: Head, features: number[]): number[] {
  let values = features;
  for (const { units, kernel, bias, activation } of layers) {
    const input = values;
    values = Array.from({ length: units }, (_, j) =>
      input.reduce((sum, value, i) => sum + value * kernel[i * units + j]!, bias[j]!),
    );
    if (activation === 'relu') values = values.map((value) => Math.max(0, value));
  }
  return values;
}

function softmax(values: number[]): number[] {
  const sum = values.reduce((total, value) => total + Math.exp(value), 0);
  return values.map((value) => Math.exp(value) / sum);
}

function near(actual: Iterable<number>, expected: number[], tolerance = 1e-5): boolean {
  return [...actual].every((value, i) => Math.abs(value - expected[i]!) < tolerance);
}

t.test('scores are those of the definition, and add up to 1', (t) => {
  for (const head of HEADS) {
    for (const features of [
      [0.3, -1, 0, 2],
      [0, 0, 0, 0],
    ]) {
      const scores = score(head, Float32Array.from(features));
      t.ok(near(scores, softmax(logits(head, features))));
      t.ok(near([scores.reduce((a, b) => a + b)], [1]));
    }
  }
  t.end();
});

t.test('great scores do not overflow, and the features stay as they were', (t) => {
  const features = Float32Array.of(1e4, -1e4, 5e3, 1);
  const before = features.slice();
  for (const head of HEADS) t.ok(score(head, features).every((value) => value >= 0 && value <= 1));
  t.same(features, before);
  t.end();
});

t.test('a folded head gives for raw features what standardising and cooling gives', (t) => {
  const mean = Float32Array.of(1, -2, 0.5, 10);
  const deviation = Float32Array.of(0.5, 3, 1, 20);
  const raw = [1.3, -5, 0.7, -12];
  const standardised = raw.map((value, i) => (value - mean[i]!) / deviation[i]!);
  for (const head of HEADS) {
    const before = structuredClone(head);
    for (const temperature of [0.5, 1, 3]) {
      const expected = softmax(logits(head, standardised).map((value) => value / temperature));
      t.ok(near(score(folded(head, { mean, deviation, temperature }), Float32Array.from(raw)), expected));
    }
    t.same(head, before, 'the head itself stays as it was');
  }
  t.end();
});

t.test('a head takes four bytes a number', (t) => {
  t.equal(headBytes(HEADS[1]!), 4 * (20 + 5 + 15 + 3));
  t.end();
});
