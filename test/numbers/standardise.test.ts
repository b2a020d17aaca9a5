import t from 'tap';
import { dense, type SparseFeatures, stacked } from '../../src/numbers/features.js';
import {
  onlyDenseStandard,
  type SparseStandard,
  standardise,
  usualSquaredLength,
} from '../../src/numbers/standardise.js';
import { sparseOf, wordy } from '../helpers/sparse.js';

t.test('dense columns get mean 0 and deviation 1 on the rows that are known', (t) => {
  const x = Float32Array.from({ length: 40 * 3 }, (_, i) => [Math.sin(i), 5 + 3 * Math.cos(i), 7][i % 3]!);
  const raw = x.slice();
  const known = [...Array(30).keys()];
  const { mean, deviation } = onlyDenseStandard(standardise(dense(x, 3), known));
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

t.test('sparse columns count by how few of the known rows have them, and each row gets one length', (t) => {
  const { features } = wordy({ rows: 50, columns: 300, classes: 2, each: 20 });
  const before = { ...features, values: features.values.slice() };
  const known = [...Array(40).keys()];
  const { weights, unseenWeight, mean } = standardise(features, known) as SparseStandard;
  t.equal(mean.length, 0);
  const rowsWith = (column: number) => known.filter((row) => indicesOf(before, row).includes(column)).length;
  for (const column of [0, 7, 150, 299]) {
    t.ok(Math.abs(weights[column]! - (Math.log(41 / (1 + rowsWith(column))) + 1)) < 1e-3);
  }
  t.ok(Math.abs(unseenWeight - (Math.log(41) + 1)) < 1e-3);
  t.equal(weights[299], unseenWeight, 'the last column never occurs');
  for (let row = 1; row < 50; row += 1) {
    const [from, to] = [features.offsets[row]!, features.offsets[row + 1]!];
    const values = features.values.subarray(from, to);
    t.ok(Math.abs(values.reduce((sum, value) => sum + value * value, 0) / usualSquaredLength(features) - 1) < 1e-4);
    const scale = values[0]! / before.values[from]! / weights[features.indices[from]!]!;
    values.forEach((value, i) => {
      t.ok(Math.abs(value / before.values[from + i]! / weights[features.indices[from + i]!]! / scale - 1) < 1e-4);
    });
  }
  t.end();
});

t.test('dense columns beside sparse ones are standardised, and are as long together as the sparse ones', (t) => {
  const rows = Array.from({ length: 40 }, (_, i) => ({
    columns: 12,
    indices: Int32Array.of(i % 10, 10, 11),
    values: Float32Array.of(1, 5 + Math.sin(i), 100 * Math.cos(3 * i)),
  }));
  const features = stacked(rows, 12) as SparseFeatures;
  standardise(features, [...rows.keys()], 2);
  const beside = (d: number) => rows.map((_, row) => features.values[3 * row + 1 + d]!);
  let square = 0;
  for (const values of [beside(0), beside(1)]) {
    t.ok(Math.abs(values.reduce((a, b) => a + b) / 40) < 1e-4);
    square += values.reduce((sum, value) => sum + value * value, 0) / 40;
  }
  t.ok(Math.abs(square / usualSquaredLength(features) - 1) < 1e-3);
  t.end();
});

t.test('rows of nothing but zeros are left as they are', (t) => {
  const nothing = sparseOf(dense(new Float32Array(12), 4));
  standardise(nothing, [0, 1, 2]);
  t.equal(nothing.values.length, 0);
  t.end();
});

function indicesOf({ offsets, indices }: SparseFeatures, row: number): number[] {
  return [...indices.subarray(offsets[row], offsets[row + 1])];
}
