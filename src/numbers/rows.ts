/** Arithmetic on rows of features, dense and sparse. Two rows that meet are of one kind. */
import { dot, squaredLength } from './dense.js';
import { type FeatureRow, isSparse, type SparseRow } from './features.js';

/** |row|² */
export function squaredRowLength(row: FeatureRow): number {
  return squaredLength(isSparse(row) ? row.values : row);
}

/** sum += factor · row, `[columns]` */
export function addRow(sum: Float64Array, row: FeatureRow, factor: number): void {
  if (isSparse(row)) {
    const { indices, values } = row;
    for (let at = 0; at < values.length; at += 1) sum[indices[at]!]! += factor * values[at]!;
  } else for (let d = 0; d < row.length; d += 1) sum[d]! += factor * row[d]!;
}

/** row · v, of a vector `[columns]` */
export function rowTimes(row: FeatureRow, v: Float32Array | Float64Array): number {
  if (!isSparse(row)) return dot(row, v);
  const { indices, values } = row;
  let sum = 0;
  for (let at = 0; at < values.length; at += 1) sum += values[at]! * v[indices[at]!]!;
  return sum;
}

/** out += row · matrix, of a matrix `[columns, units]` row by row. */
export function addRowTimes(
  out: Float32Array,
  { indices, values }: SparseRow,
  matrix: Float32Array,
  units: number,
): void {
  for (let at = 0; at < values.length; at += 1) {
    const value = values[at]!;
    const start = indices[at]! * units;
    for (let j = 0; j < units; j += 1) out[j]! += value * matrix[start + j]!;
  }
}

/** |a − b|² */
export function squaredDistance(a: FeatureRow, b: FeatureRow): number {
  if (isSparse(a)) return sparseDistance(a, b as SparseRow);
  let sum = 0;
  for (let d = 0; d < a.length; d += 1) sum += (a[d]! - (b as Float32Array)[d]!) ** 2;
  return sum;
}

/** Both are walked through at once, by column. */
function sparseDistance(a: SparseRow, b: SparseRow): number {
  let [i, j, sum] = [0, 0, 0];
  while (i < a.indices.length || j < b.indices.length) {
    const column = Math.min(a.indices[i] ?? a.columns, b.indices[j] ?? b.columns);
    let difference = 0;
    if (a.indices[i] === column) difference += a.values[i++]!;
    if (b.indices[j] === column) difference -= b.values[j++]!;
    sum += difference * difference;
  }
  return sum;
}
