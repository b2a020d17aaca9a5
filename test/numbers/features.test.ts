import fc from 'fast-check';
import t from 'tap';
import {
  ArrivingRows,
  dense,
  type FeatureRow,
  firstRows,
  isSparse,
  rowOf,
  stacked,
  takeRows,
} from '../../src/numbers/features.js';
import { addRow, addRowTimes, squaredDistance, squaredRowLength } from '../../src/numbers/rows.js';
import { denseOf, sparseOf } from '../helpers/sparse.js';

const COLUMNS = 7;
/** Matrices with many zeros, and rows of nothing else. */
const matrices = fc
  .array(
    fc.oneof(
      fc.constant(Array<number>(COLUMNS).fill(0)),
      fc.array(fc.oneof(fc.constant(0), fc.integer({ min: -9, max: 9 })), { minLength: COLUMNS, maxLength: COLUMNS }),
    ),
    { minLength: 1, maxLength: 12 },
  )
  .map((rows) => dense(Float32Array.from(rows.flat()), COLUMNS));

t.test('a sparse matrix has the rows of the dense one, first ones and chosen ones, too', (t) => {
  fc.assert(
    fc.property(matrices, fc.array(fc.nat()), fc.nat(), (matrix, numbers, some) => {
      const chosen = numbers.map((number) => number % matrix.rows);
      const count = some % (matrix.rows + 1);
      const sparse = sparseOf(matrix);
      t.same(denseOf(sparse), matrix);
      if (chosen.length > 0) t.same(denseOf(takeRows(sparse, chosen) as typeof sparse), takeRows(matrix, chosen));
      t.same(denseOf(firstRows(sparse, count) as typeof sparse), firstRows(matrix, count));
    }),
    { numRuns: 50 },
  );
  t.end();
});

t.test('sums, products and distances of sparse rows are those of the dense ones', (t) => {
  fc.assert(
    fc.property(matrices, fc.nat(), fc.nat(), (matrix, one, other) => {
      const sparse = sparseOf(matrix);
      const [a, b] = [one % matrix.rows, other % matrix.rows];
      const [wide, narrow] = [rowOf(matrix, a), rowOf(sparse, a)];
      if (!isSparse(narrow)) throw new Error('a sparse row is not sparse');
      t.equal(squaredRowLength(narrow), squaredRowLength(wide));
      t.equal(squaredDistance(narrow, rowOf(sparse, b)), squaredDistance(wide, rowOf(matrix, b)));
      const sums = [new Float64Array(COLUMNS), new Float64Array(COLUMNS)] as const;
      addRow(sums[0], narrow, 0.5);
      addRow(sums[1], wide, 0.5);
      t.same(sums[0], sums[1]);
      const kernel = Float32Array.from({ length: 2 * COLUMNS }, (_, i) => i - 5);
      const out = Float32Array.of(1, 2);
      addRowTimes(out, narrow, kernel, 2);
      const expected = [1, 2].map((start, unit) =>
        (wide as Float32Array).reduce((sum, value, i) => sum + value * kernel[2 * i + unit]!, start),
      );
      t.same([...out], expected);
    }),
    { numRuns: 50 },
  );
  t.end();
});

t.test('rows of different kinds or sizes do not become one matrix', (t) => {
  const sparse: FeatureRow = { columns: 2, indices: Int32Array.of(1), values: Float32Array.of(3) };
  t.throws(() => stacked([Float32Array.of(0, 3), sparse], 2), RangeError);
  t.throws(() => stacked([sparse, Float32Array.of(0, 3)], 2), RangeError);
  t.throws(() => stacked([sparse], 3), RangeError);
  t.same(stacked([sparse, sparse], 2), sparseOf(dense(Float32Array.of(0, 3, 0, 3), 2)));
  t.end();
});

t.test('rows that arrive in any order make the matrix that they would make together', (t) => {
  const rows = Array.from({ length: 7 }, (_, i) => Float32Array.of(i, 10 * i + 1));
  for (const [name, order] of [
    ['all', [6, 0, 3, 1, 2, 5, 4]],
    ['some', [5, 0, 3]],
    ['none', []],
  ] as const) {
    const here = [...order].sort((a, b) => a - b);
    const arriving = new ArrivingRows(rows.length, 2);
    for (const row of order) arriving.set(row, rows[row]!);
    t.same(
      rows.map((_, row) => arriving.has(row)),
      rows.map((_, row) => here.includes(row as never)),
      name,
    );
    t.same(
      arriving.taken(),
      stacked(
        here.map((row) => rows[row]!),
        2,
      ),
      name,
    );
  }
  const sparse: FeatureRow = { columns: 2, indices: Int32Array.of(1), values: Float32Array.of(3) };
  const arriving = new ArrivingRows(3, 2);
  arriving.set(2, sparse);
  t.throws(() => arriving.set(1, rows[1]!), RangeError);
  t.throws(() => arriving.set(0, Float32Array.of(1)), RangeError);
  arriving.set(0, sparse);
  t.same(arriving.taken(), stacked([sparse, sparse], 2));
  const dense = new ArrivingRows(2, 2);
  dense.set(0, rows[1]!);
  t.throws(() => dense.set(1, sparse), RangeError);
  t.end();
});
