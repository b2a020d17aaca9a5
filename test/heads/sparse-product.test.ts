import t from 'tap';
import { ProductMemory } from '../../src/heads/sparse-product.js';
import { randomFrom } from '../helpers/photos.js';

/** Rows of up to 30 values in so many columns; the first row is empty. */
function matrix(rows: number, columns: number) {
  const random = randomFrom(rows + columns);
  const lists = Array.from({ length: rows }, (_, row) =>
    Array.from({ length: row === 0 ? 0 : Math.floor(30 * random()) }, () => [
      Math.floor(columns * random()),
      random() - 0.5,
    ]),
  );
  const offsets = new Int32Array(rows + 1);
  lists.forEach((list, row) => {
    offsets[row + 1] = offsets[row]! + list.length;
  });
  return {
    offsets,
    indices: Int32Array.from(lists.flat(), ([column]) => column!),
    values: Float32Array.from(lists.flat(), ([, value]) => value!),
  };
}

t.test('the product is the one that counting out gives, for any width and over pages of memory', (t) => {
  for (const [rows, columns, lanes] of [
    [1, 1, 1],
    [1, 1, 4],
    [300, 700, 1],
    [50, 20, 8],
    [300, 700, 16],
    [300, 700, 20],
    [40, 3000, 76],
  ] as const) {
    const sparse = matrix(rows, columns);
    const memory = new ProductMemory(4 * (2 * sparse.values.length + rows + 1 + (rows + columns) * lanes) + 200);
    const held = memory.hold(sparse);
    const [table, out] = [memory.room(columns * lanes), memory.room(rows * lanes)];
    const random = randomFrom(lanes);
    memory.floats(table, columns * lanes).forEach((_, i, all) => {
      all[i] = random() - 0.5;
    });
    memory.multiply(held, table, out, lanes);
    const [weights, found] = [memory.floats(table, columns * lanes), memory.floats(out, rows * lanes)];
    for (let row = 0; row < rows; row += 1) {
      for (let lane = 0; lane < lanes; lane += 1) {
        let sum = 0;
        for (let at = sparse.offsets[row]!; at < sparse.offsets[row + 1]!; at += 1) {
          sum += sparse.values[at]! * weights[sparse.indices[at]! * lanes + lane]!;
        }
        if (Math.abs(sum - found[row * lanes + lane]!) > 1e-5) t.fail(`${rows} × ${columns}, row ${row}, lane ${lane}`);
      }
    }
  }
  t.end();
});

t.test('what has no room in the memory is refused', (t) => {
  const memory = new ProductMemory(1000);
  t.throws(() => memory.room(1e6), RangeError);
  t.end();
});
