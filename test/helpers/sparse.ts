import { type DenseFeatures, dense, type SparseFeatures } from '../../src/numbers/features.js';
import { seededRandom } from '../../src/numbers/random.js';

/** The same matrix, without its zeros. */
export function sparseOf({ values, rows, columns }: DenseFeatures): SparseFeatures {
  const offsets = new Int32Array(rows + 1);
  const indices: number[] = [];
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1) {
      if (values[row * columns + column] !== 0) indices.push(row * columns + column);
    }
    offsets[row + 1] = indices.length;
  }
  return {
    kind: 'sparse',
    rows,
    columns,
    offsets,
    indices: Int32Array.from(indices, (index) => index % columns),
    values: Float32Array.from(indices, (index) => values[index]!),
  };
}

/**
 * Rows of few values whose columns depend on their class, as words do; row 0 is empty, and the last column never occurs.
 * @param options share: of the values that lie in columns of the class
 */
export function wordy(options: { rows: number; columns: number; classes: number; each: number; share?: number }) {
  const { rows, columns, classes, each, share = 0.5 } = options;
  const random = seededRandom(columns, 'wordy');
  const y = Int32Array.from({ length: rows }, (_, row) => row % classes);
  const own = Math.floor((columns - 1) / classes / 4);
  const lists = Array.from({ length: rows }, (_, row) => {
    const found = new Map<number, number>();
    for (let i = 0; i < each && row > 0; i += 1) {
      const column =
        random() < share ? y[row]! * own + Math.floor(random() * own) : Math.floor(random() * (columns - 1));
      found.set(column, 0.1 + random());
    }
    return [...found].sort(([a], [b]) => a - b);
  });
  const offsets = new Int32Array(rows + 1);
  lists.forEach((list, row) => {
    offsets[row + 1] = offsets[row]! + list.length;
  });
  const all = lists.flat();
  const features: SparseFeatures = {
    kind: 'sparse',
    rows,
    columns,
    offsets,
    indices: Int32Array.from(all, ([column]) => column),
    values: Float32Array.from(all, ([, value]) => value),
  };
  return { features, y };
}

/** The same matrix, with its zeros. */
export function denseOf({ rows, columns, offsets, indices, values }: SparseFeatures): DenseFeatures {
  const out = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row += 1) {
    for (let at = offsets[row]!; at < offsets[row + 1]!; at += 1) out[row * columns + indices[at]!] = values[at]!;
  }
  return dense(out, columns);
}
