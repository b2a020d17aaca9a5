import t from 'tap';
import { dense } from '../../src/numbers/features.js';
import { standardise, usualSquaredLength } from '../../src/numbers/standardise.js';
import { sparseOf, wordy } from '../helpers/sparse.js';

t.test('dense columns get mean 0 and deviation 1 on the rows that are known', (t) => {
  const x = Float32Array.from({ length: 40 * 3 }, (_, i) => [Math.sin(i), 5 + 3 * Math.cos(i), 7][i % 3]!);
  const raw = x.slice();
  const known = [...Array(30).keys()];
  const { mean, deviation } = standardise(dense(x, 3), known);
  for (const column of [0, 1]) {
    const values = known.map((row) => x[row * 3 + column]!);
    const average = values.reduce((a, b) => a + b) / 30;
    t.ok(Math.abs(average) < 1e-5);
    t.ok(Math.abs(values.reduce((sum, value) => sum + (value - average) ** 2, 0) / 30 - 1) < 1e-4);
  }
  x.forEach((value, i) => {
    t.ok(Math.abs(value * deviation[i % 3]! + mean[i % 3]! - raw[i]!) < 1e-4, 'and back');
  });
  t.end();
});

t.test('sparse rows are scaled by one number to a usual length, and zeros stay zeros', (t) => {
  const { features } = wordy({ rows: 50, columns: 300, classes: 2, each: 20 });
  const before = { ...features, values: features.values.slice() };
  const known = [...Array(40).keys()];
  const { mean, deviation } = standardise(features, known);
  t.ok(mean.every((value) => value === 0) && deviation.every((value) => value === deviation[0]));
  t.equal(features.indices.length, before.indices.length);
  features.values.forEach((value, at) => {
    t.ok(Math.abs(value * deviation[0]! - before.values[at]!) < 1e-6);
  });
  const square = features.values.subarray(0, features.offsets[40]).reduce((sum, value) => sum + value * value, 0) / 40;
  t.ok(Math.abs(square / usualSquaredLength(features) - 1) < 1e-4);
  t.end();
});

t.test('rows of nothing but zeros are left as they are', (t) => {
  const nothing = sparseOf(dense(new Float32Array(12), 4));
  t.same(standardise(nothing, [0, 1, 2]).deviation, new Float32Array(4).fill(1));
  t.end();
});
