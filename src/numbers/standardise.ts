import type { Features, SparseFeatures } from './features.js';

/** What was done to features; another example is brought to the same by it. */
export type Standard = DenseStandard | SparseStandard;

/** `(x − mean) / deviation`, column by column. Each `[columns]`. */
export interface DenseStandard {
  kind: 'dense';
  mean: Float32Array;
  deviation: Float32Array;
}

/**
 * Each value times the weight of its column, then the row brought to `SPARSE_LENGTH`. Dense columns that lie beside the sparse
 * ones are standardised as dense ones are, and then about as long together.
 */
export interface SparseStandard {
  kind: 'sparse';
  /** `[sparse columns]` */
  weights: Float32Array;
  /** Of a column that occurred in none of the known rows. */
  unseenWeight: number;
  /** Of the dense columns, each `[dense columns]`. */
  mean: Float32Array;
  deviation: Float32Array;
}

/** Length of a sparse row after `standardise`: as long as 1,024 dense columns of deviation 1. */
export const SPARSE_LENGTH = 32;
/** Weights of columns are multiples of this, so that two bytes hold one. */
export const WEIGHT_STEP = 1 / 4096;

/**
 * Bring features in place to where penalties and steps of usual size fit.
 *
 * Dense: subtract the mean and divide by the deviation of the `known` rows, column by column. Deviations are kept above a
 * hundredth of their mean, so that a column that hardly ever moves is not blown up.
 *
 * Sparse: multiply each column by its inverse document frequency in the known rows, ln((1 + n) / (1 + rows with it)) + 1, then
 * bring each row to one length. Nothing is subtracted: zeros would become numbers, and the matrix dense.
 * @param denseColumns the last columns of sparse features, which every row has
 */
export function standardise(features: Features, known: ArrayLike<number>, denseColumns = 0): Standard {
  return features.kind === 'dense'
    ? standardiseDense(features.values, features.columns, known)
    : standardiseSparse(features, known, denseColumns);
}

/** What has a place only where features are dense. @throws RangeError for sparse ones */
export function onlyDenseStandard(standard: Standard): DenseStandard {
  if (standard.kind === 'dense') return standard;
  throw new RangeError('sparse features where only dense ones can be');
}

/** Mean square of the length of a row of standardised features. */
export function usualSquaredLength({ kind, columns }: Pick<Features, 'kind' | 'columns'>): number {
  return kind === 'dense' ? columns : SPARSE_LENGTH ** 2;
}

function standardiseDense(x: Float32Array, D: number, known: ArrayLike<number>): DenseStandard {
  const [sum, square] = [new Float64Array(D), new Float64Array(D)];
  for (let i = 0; i < known.length; i += 1) {
    const start = known[i]! * D;
    for (let d = 0; d < D; d += 1) sum[d]! += x[start + d]!;
  }
  const mean = Float32Array.from(sum, (value) => value / known.length);
  for (let i = 0; i < known.length; i += 1) {
    const start = known[i]! * D;
    for (let d = 0; d < D; d += 1) square[d]! += (x[start + d]! - mean[d]!) ** 2;
  }
  const raw = Float64Array.from(square, (value) => Math.sqrt(value / known.length));
  const floor = Math.max(1e-6, (0.01 * raw.reduce((a, b) => a + b, 0)) / D);
  const deviation = Float32Array.from(raw, (value) => Math.max(value, floor));
  for (let row = 0; row < x.length / D; row += 1) {
    for (let d = 0; d < D; d += 1) x[row * D + d] = (x[row * D + d]! - mean[d]!) / deviation[d]!;
  }
  return { kind: 'dense', mean, deviation };
}

function standardiseSparse(
  { rows, columns, offsets, indices, values }: SparseFeatures,
  known: ArrayLike<number>,
  denseColumns: number,
): SparseStandard {
  const sparse = columns - denseColumns;
  const weigh = weightsOf({ offsets, indices }, known, sparse);
  const beside = new DenseBeside({ offsets, values }, known, denseColumns);
  for (let row = 0; row < rows; row += 1) {
    const [from, to] = [offsets[row]!, offsets[row + 1]! - denseColumns];
    let square = 0;
    for (let at = from; at < to; at += 1) {
      values[at]! *= weigh.weights[indices[at]!]!;
      square += values[at]! ** 2;
    }
    const scale = square > 0 ? SPARSE_LENGTH / Math.sqrt(square) : 1;
    for (let at = from; at < to; at += 1) values[at]! *= scale;
    beside.standardise(values, to);
  }
  return { kind: 'sparse', ...weigh, mean: beside.mean, deviation: beside.deviation };
}

function weightsOf(
  { offsets, indices }: Pick<SparseFeatures, 'offsets' | 'indices'>,
  known: ArrayLike<number>,
  columns: number,
): Pick<SparseStandard, 'weights' | 'unseenWeight'> {
  const rowsWith = new Int32Array(columns);
  for (let i = 0; i < known.length; i += 1) {
    for (let at = offsets[known[i]!]!; at < offsets[known[i]! + 1]!; at += 1) {
      if (indices[at]! < columns) rowsWith[indices[at]!]! += 1;
    }
  }
  const weight = (rows: number) =>
    Math.round((Math.log((1 + known.length) / (1 + rows)) + 1) / WEIGHT_STEP) * WEIGHT_STEP;
  return { weights: Float32Array.from(rowsWith, weight), unseenWeight: weight(0) };
}

/** Dense columns at the end of sparse rows, which every row has. */
class DenseBeside {
  readonly mean: Float32Array;
  readonly deviation: Float32Array;

  constructor(
    { offsets, values }: Pick<SparseFeatures, 'offsets' | 'values'>,
    known: ArrayLike<number>,
    columns: number,
  ) {
    const rows = new Float32Array(known.length * columns);
    for (let i = 0; i < known.length; i += 1) {
      const end = offsets[known[i]! + 1]!;
      rows.set(values.subarray(end - columns, end), i * columns);
    }
    const { mean, deviation } = standardiseDense(rows, columns, [...Array(known.length).keys()]);
    this.mean = mean;
    const scale = Math.sqrt(columns) / SPARSE_LENGTH;
    this.deviation = deviation.map((value) => value * scale);
  }

  standardise(values: Float32Array, from: number): void {
    for (let d = 0; d < this.mean.length; d += 1) {
      values[from + d] = (values[from + d]! - this.mean[d]!) / this.deviation[d]!;
    }
  }
}
