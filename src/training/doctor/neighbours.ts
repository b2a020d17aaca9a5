import { squaredLength } from '../../numbers/dense.js';
import {
  dense,
  type DenseFeatures,
  type FeatureRow,
  type Features,
  firstRows,
  rowOf,
  type SparseFeatures,
  takeRows,
  transposed,
} from '../../numbers/features.js';
import { type Random, seededRandom } from '../../numbers/random.js';
import { squaredDistance, squaredRowLength } from '../../numbers/rows.js';
import { type Matrix, matrixProduct } from '../../onnx/matrix-product.js';

/** The nearest other rows of each row, nearest first. */
export interface Neighbours {
  /** Neighbours per row. */
  count: number;
  /** `[n, count]` */
  index: Int32Array;
  /** `[n, count]`: squared Euclidean distances */
  distance: Float64Array;
}

/** Rows of one matrix product. */
const BLOCK = 1024;
/** Beyond so many rows, the products are of random projections. */
const EXACT_ROWS = 5000;
/** Distances are then right within about 9 %, and those that are kept are computed anew. */
const PROJECTED = 256;

/**
 * Each row's nearest others, by squared distance. Dense rows are compared by matrix products of blocks, sparse ones by the
 * columns that they share. Beyond 5,000 rows the features are projected to 256 random directions first (Johnson and
 * Lindenstrauss), which keeps distances nearly, sparse ones become dense by it, and those of the neighbours found are then
 * exact.
 * @param options features: standardised; rows: which of them are compared, the first so many or these. What is found are
 *   places among them
 */
export async function nearestNeighbours(options: {
  features: Features;
  rows: number | readonly number[];
  count: number;
}): Promise<Neighbours> {
  const { features: all } = options;
  const rows = typeof options.rows === 'number' ? options.rows : options.rows.length;
  const count = Math.max(0, Math.min(options.count, rows - 1));
  const found: Neighbours = {
    count,
    index: new Int32Array(rows * count).fill(-1),
    distance: new Float64Array(rows * count).fill(Number.POSITIVE_INFINITY),
  };
  if (count === 0) return found;
  const some = (from: number, to: number) =>
    takeRows(all, typeof options.rows === 'number' ? range(from, to) : options.rows.slice(from, to));
  if (rows <= EXACT_ROWS || (all.kind === 'dense' && all.columns <= PROJECTED)) {
    const features = typeof options.rows === 'number' ? firstRows(all, rows) : some(0, rows);
    if (features.kind === 'sparse') compareSparse(features, found);
    else await compareDense(features, found);
    return found;
  }
  // Never all rows at once: they may be a large part of the memory there is.
  await compareDense(await projected(rows, all.columns, some), found);
  const rowAt = (place: number) => rowOf(all, typeof options.rows === 'number' ? place : options.rows[place]!);
  makeExact(found, rows, rowAt);
  return found;
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

function offer({ count, index, distance }: Neighbours, row: number, other: number, value: number): void {
  const first = row * count;
  let place = first + count - 1;
  for (; place > first && distance[place - 1]! > value; place -= 1) {
    distance[place] = distance[place - 1]!;
    index[place] = index[place - 1]!;
  }
  distance[place] = value;
  index[place] = other;
}

async function compareDense({ values, rows, columns }: DenseFeatures, found: Neighbours): Promise<void> {
  const { count, distance } = found;
  const squares = Float64Array.from({ length: rows }, (_, row) =>
    squaredLength(values.subarray(row * columns, (row + 1) * columns)),
  );
  for (let a = 0; a < rows; a += BLOCK) {
    const left = block(values, a, rows, columns);
    for (let b = a; b < rows; b += BLOCK) {
      const right = block(values, b, rows, columns);
      const products = await matrixProduct(left, right);
      for (let i = 0; i < left.rows; i += 1) {
        const worst = (a + i) * count + count - 1;
        for (let j = a === b ? i + 1 : 0; j < right.rows; j += 1) {
          const value = Math.max(0, squares[a + i]! + squares[b + j]! - 2 * products[i * right.rows + j]!);
          if (value < distance[worst]!) offer(found, a + i, b + j, value);
          if (value < distance[(b + j) * count + count - 1]!) offer(found, b + j, a + i, value);
        }
      }
    }
  }
}

function block(values: Float32Array, start: number, of: number, columns: number): Matrix {
  const rows = Math.min(BLOCK, of - start);
  return { values: values.subarray(start * columns, (start + rows) * columns), rows, columns };
}

/** Products of each row with all later ones, by way of the rows that each of its columns occurs in. */
function compareSparse(features: SparseFeatures, found: Neighbours): void {
  const { rows, offsets, indices, values } = features;
  const { count, distance } = found;
  const squares = Float64Array.from({ length: rows }, (_, row) => squaredRowLength(rowOf(features, row)));
  const byColumn = transposed(features);
  const next = byColumn.offsets.slice(); // of each column, the first value of a row that is still to come
  const products = new Float64Array(rows);
  for (let row = 0; row < rows; row += 1) {
    products.fill(0, row + 1);
    for (let at = offsets[row]!; at < offsets[row + 1]!; at += 1) {
      const column = indices[at]!;
      const value = values[at]!;
      next[column]! += 1; // this row itself
      for (let other = next[column]!; other < byColumn.offsets[column + 1]!; other += 1) {
        products[byColumn.indices[other]!]! += value * byColumn.values[other]!;
      }
    }
    const worst = row * count + count - 1;
    for (let other = row + 1; other < rows; other += 1) {
      const value = Math.max(0, squares[row]! + squares[other]! - 2 * products[other]!);
      if (value < distance[worst]!) offer(found, row, other, value);
      if (value < distance[other * count + count - 1]!) offer(found, other, row, value);
    }
  }
}

/** `[rows, PROJECTED]`, a block of rows after another. */
async function projected(
  rows: number,
  columns: number,
  some: (from: number, to: number) => Features,
): Promise<DenseFeatures> {
  const random = seededRandom(0, 'projection');
  const out = new Float32Array(rows * PROJECTED);
  const project = { dense: projectDense(columns, random), sparse: projectSparse(columns, random) };
  for (let start = 0; start < rows; start += BLOCK) {
    const block = some(start, Math.min(rows, start + BLOCK));
    const numbers = block.kind === 'dense' ? await project.dense(block) : project.sparse(block);
    out.set(numbers, start * PROJECTED);
  }
  return dense(out, PROJECTED);
}

/** ±1 does as well as a Gaussian (Achlioptas, Database-friendly Random Projections, 2003). */
const signFrom = (random: Random) => () => (random() < 0.5 ? -1 : 1) / Math.sqrt(PROJECTED);

function projectDense(columns: number, random: Random): (block: DenseFeatures) => Promise<Float32Array> {
  let directions: Matrix | undefined;
  return (block) => {
    const values = directions?.values ?? Float32Array.from({ length: PROJECTED * columns }, signFrom(random));
    directions ??= { values, rows: PROJECTED, columns };
    return matrixProduct(block, directions);
  };
}

/** Directions that a column of sparse features takes part in; each lies in a part of its own of all directions. */
const TAKES_PART = 4;

/** As well as by full directions, with few steps a value (Kane and Nelson, Sparser Johnson-Lindenstrauss Transforms, 2014). */
function projectSparse(columns: number, random: Random): (block: SparseFeatures) => Float32Array {
  const width = PROJECTED / TAKES_PART;
  const places = Uint8Array.from(
    { length: columns * TAKES_PART },
    (_, i) => (i % TAKES_PART) * width + Math.floor(random() * width),
  );
  const signs = Int8Array.from(places, () => (random() < 0.5 ? -1 : 1));
  return ({ rows, offsets, indices, values }) => {
    const out = new Float32Array(rows * PROJECTED);
    for (let row = 0; row < rows; row += 1) {
      const start = row * PROJECTED;
      for (let at = offsets[row]!; at < offsets[row + 1]!; at += 1) {
        const first = indices[at]! * TAKES_PART;
        const value = values[at]! / Math.sqrt(TAKES_PART);
        for (let i = first; i < first + TAKES_PART; i += 1) out[start + places[i]!]! += value * signs[i]!;
      }
    }
    return out;
  };
}

/** Compute the distances of the neighbours found from all features, and sort them anew. */
function makeExact({ count, index, distance }: Neighbours, rows: number, rowAt: (row: number) => FeatureRow): void {
  for (let row = 0; row < rows; row += 1) {
    const one = rowAt(row);
    const found = Array.from(index.subarray(row * count, (row + 1) * count), (other) => ({
      other,
      sum: squaredDistance(one, rowAt(other)),
    })).sort((a, b) => a.sum - b.sum);
    found.forEach(({ other, sum }, place) => {
      index[row * count + place] = other;
      distance[row * count + place] = sum;
    });
  }
}
