import type { Features } from './features.js';

/** What was done to features: `(x − mean) / deviation`, column by column. Each `[columns]`. */
export interface Standard {
  mean: Float32Array;
  deviation: Float32Array;
}

/** Mean square of the length of sparse rows after `standardise`: as long as 1,024 dense columns of deviation 1. */
const SPARSE_SQUARED_LENGTH = 1024;

/**
 * Bring features in place to where penalties and steps of usual size fit.
 *
 * Dense: subtract the mean and divide by the deviation of the `known` rows, column by column. Deviations are kept above a
 * hundredth of their mean, so that a column that hardly ever moves is not blown up.
 *
 * Sparse: multiply all by one number, so that the known rows are about as long as dense ones. Nothing is subtracted: zeros
 * would become numbers, and the matrix dense. Columns are not scaled one by one: most are rare, and would be blown up most.
 */
export function standardise(features: Features, known: ArrayLike<number>): Standard {
  return features.kind === 'dense'
    ? standardiseDense(features.values, features.columns, known)
    : scaleSparse(features, known);
}

/** Mean square of the length of a row of standardised features. */
export function usualSquaredLength({ kind, columns }: Pick<Features, 'kind' | 'columns'>): number {
  return kind === 'dense' ? columns : SPARSE_SQUARED_LENGTH;
}

function standardiseDense(x: Float32Array, D: number, known: ArrayLike<number>): Standard {
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
  return { mean, deviation };
}

function scaleSparse(features: Extract<Features, { kind: 'sparse' }>, known: ArrayLike<number>): Standard {
  const { columns, offsets, values } = features;
  let square = 0;
  for (let i = 0; i < known.length; i += 1) {
    for (let at = offsets[known[i]!]!; at < offsets[known[i]! + 1]!; at += 1) square += values[at]! ** 2;
  }
  const length = Math.sqrt(square / Math.max(1, known.length));
  const scale = length > 0 ? Math.fround(length / Math.sqrt(SPARSE_SQUARED_LENGTH)) : 1;
  for (let at = 0; at < values.length; at += 1) values[at]! /= scale;
  return { mean: new Float32Array(columns), deviation: new Float32Array(columns).fill(scale) };
}
