/**
 * The vectors of exemplars, as bytes. Each is scaled so that its largest number is ±127, since only directions count.
 *   dense: float32 mean `[D]`, float32 deviation `[D]`, then int8 `[N, D]`, standardised
 *   sparse: int32 offsets `[N + 1]`, the columns of all values (uint16 up to 65,536 columns, else int32), then the values,
 *     int8; the weights of columns lie in the head
 */
import { squaredLength } from '../numbers/dense.js';
import type { FeatureRow, SparseRow } from '../numbers/features.js';
import { squaredRowLength } from '../numbers/rows.js';
import type { DenseStandard } from '../numbers/standardise.js';

/** N vectors in memory. */
export interface Vectors {
  /** Bytes in memory. */
  readonly bytes: number;
  /** Cosine of each with the features of an example, dense ones raw, sparse ones weighted; −1 to 1. */
  cosines(row: FeatureRow): Float64Array;
}

const MOST = 127;
/** Up to so many columns, two bytes name one. */
const MAX_SHORT_COLUMNS = 1 << 16;

/** @param rows standardised */
export function writeDense(rows: Float32Array[], { mean, deviation }: DenseStandard): Uint8Array {
  const D = mean.length;
  const out = new Uint8Array((8 + rows.length) * D);
  out.set(bytesOf(Float32Array.from(mean)));
  out.set(bytesOf(Float32Array.from(deviation)), 4 * D);
  rows.forEach((row, i) => {
    out.set(bytesOf(scaled(row)), (8 + i) * D);
  });
  return out;
}

/** @returns undefined where the bytes are of another size */
export function readDense(bytes: Uint8Array, N: number, D: number): Vectors | undefined {
  if (bytes.length !== (8 + N) * D) return undefined;
  const aligned = new Uint8Array(bytes).buffer; // a copy: a slice of a Buffer would be a view
  const mean = new Float32Array(aligned, 0, D);
  const deviation = new Float32Array(aligned, 4 * D, D);
  const vectors = new Int8Array(aligned, 8 * D);
  const norms = Float64Array.from({ length: N }, (_, i) => {
    let square = 0;
    for (let d = 0; d < D; d += 1) square += vectors[i * D + d]! ** 2;
    return Math.sqrt(square);
  });
  return {
    bytes: aligned.byteLength + norms.byteLength,
    cosines(row) {
      const query = (row as Float32Array).map((value, d) => (value - mean[d]!) / deviation[d]!);
      const length = Math.sqrt(squaredLength(query));
      return norms.map((norm, i) => {
        let product = 0;
        for (let d = 0; d < D; d += 1) product += query[d]! * vectors[i * D + d]!;
        return product / Math.max(Number.MIN_VALUE, norm * length);
      });
    },
  };
}

export function writeSparse(rows: SparseRow[], columns: number): Uint8Array {
  const offsets = new Int32Array(rows.length + 1);
  rows.forEach((row, i) => {
    offsets[i + 1] = offsets[i]! + row.values.length;
  });
  const count = offsets[rows.length]!;
  const indices = columns <= MAX_SHORT_COLUMNS ? new Uint16Array(count) : new Int32Array(count);
  const values = new Int8Array(count);
  rows.forEach((row, i) => {
    indices.set(row.indices, offsets[i]!);
    values.set(scaled(row.values), offsets[i]!);
  });
  return new Uint8Array(Buffer.concat([offsets, indices, values].map(bytesOf)));
}

/** @returns undefined where the bytes are of another size, or name columns that are not there */
export function readSparse(bytes: Uint8Array, N: number, columns: number): Vectors | undefined {
  const start = 4 * (N + 1);
  if (bytes.length < start) return undefined;
  const aligned = new Uint8Array(bytes).buffer; // a copy: a slice of a Buffer would be a view
  const offsets = new Int32Array(aligned, 0, N + 1);
  const count = offsets[N]!;
  const short = columns <= MAX_SHORT_COLUMNS;
  if (bytes.length !== start + count * (short ? 3 : 5)) return undefined;
  if (offsets.some((offset, i) => offset < (offsets[i - 1] ?? 0))) return undefined;
  const indices = short ? new Uint16Array(aligned, start, count) : new Int32Array(aligned, start, count);
  if (indices.some((column) => column >= columns)) return undefined;
  const values = new Int8Array(aligned, start + count * (short ? 2 : 4), count);
  const norms = Float64Array.from({ length: N }, (_, i) => {
    let square = 0;
    for (let at = offsets[i]!; at < offsets[i + 1]!; at += 1) square += values[at]! ** 2;
    return Math.sqrt(square);
  });
  return {
    bytes: aligned.byteLength + norms.byteLength,
    cosines(row) {
      const query = new Float32Array(columns);
      (row as SparseRow).indices.forEach((column, at) => {
        query[column] = (row as SparseRow).values[at]!;
      });
      const length = Math.sqrt(squaredRowLength(row));
      return norms.map((norm, i) => {
        let product = 0;
        for (let at = offsets[i]!; at < offsets[i + 1]!; at += 1) product += values[at]! * query[indices[at]!]!;
        return product / Math.max(Number.MIN_VALUE, norm * length);
      });
    },
  };
}

/** The largest number becomes ±127. */
function scaled(vector: Float32Array): Int8Array {
  const largest = vector.reduce((top, value) => Math.max(top, Math.abs(value)), 0);
  const scale = largest > 0 ? MOST / largest : 0;
  return Int8Array.from(vector, (value) => Math.round(value * scale));
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
}
