/**
 * A linear head on sparse features, in a compact form: of all columns only those that its training examples used, two bytes a
 * weight. What is done to features before it lies in it, too, because it cannot be folded into the weights: each row is
 * brought to one length.
 */
import { AppError } from '../errors.js';
import { type FeatureRow, isSparse, type SparseFeatures, type SparseRow } from '../numbers/features.js';
import { softmax } from '../numbers/scores.js';
import { SPARSE_LENGTH, type SparseStandard, WEIGHT_STEP } from '../numbers/standardise.js';
import type { DenseLayer } from './head.js';

export interface SparseHead {
  shape: SparseShape;
  /** One bit a sparse column: whether a training example used it. */
  used: Uint32Array;
  /** Used columns before each word of `used`. */
  before: Uint32Array;
  /** Weight of each used column in steps of `WEIGHT_STEP`. */
  weights: Uint16Array;
  /** `[used, K − 1]`: of each class but the first, whose score is 0; times `scale` of the class. */
  kernel: Int16Array;
  /** `[K − 1]` */
  scale: Float32Array;
  /** Of the dense columns beside, `[dense, K − 1]`; standardisation is folded in. */
  denseKernel: Float32Array;
  /** `[K − 1]` */
  bias: Float32Array;
}

interface SparseShape {
  columns: number;
  /** Columns after those, which every row has. */
  dense: number;
  classes: number;
  used: number;
  /** Weight of columns that no training example used. */
  unseenWeight: number;
}

export interface SparseHeadFiles {
  /** JSON text */
  shape: string;
  weights: Uint8Array;
}

const MOST = 32_767;

/**
 * The compact form of a fitted layer; standardisation and temperature are folded in.
 * @param options layer: kernel `[columns, K]` on standardised features; features, rows: what it was fitted on
 */
export function sparseHead(options: {
  layer: DenseLayer;
  standard: SparseStandard;
  features: SparseFeatures;
  rows: ArrayLike<number>;
  temperature: number;
}): SparseHead {
  const { layer, standard, temperature } = options;
  const columns = standard.weights.length;
  const [dense, classes] = [layer.inputs - columns, layer.units];
  const used = bitsOf(options.features, options.rows, columns);
  const before = ranksOf(used);
  const count = before.at(-1)! + ones(used.at(-1)!);
  const free = classes - 1;
  const weights = new Uint16Array(count);
  const steps = new Float64Array(free);
  const of = (row: number, k: number) =>
    (layer.kernel[row * classes + k + 1]! - layer.kernel[row * classes]!) / temperature;
  eachUsed(used, (column) => {
    for (let k = 0; k < free; k += 1) steps[k] = Math.max(steps[k]!, Math.abs(of(column, k)) / MOST);
  });
  const kernel = new Int16Array(count * free);
  eachUsed(used, (column, place) => {
    weights[place] = Math.min(65_535, Math.round(standard.weights[column]! / WEIGHT_STEP));
    for (let k = 0; k < free; k += 1) {
      kernel[place * free + k] = steps[k] === 0 ? 0 : Math.round(of(column, k) / steps[k]!);
    }
  });
  const denseKernel = new Float32Array(dense * free);
  const bias = Float64Array.from({ length: free }, (_, k) => (layer.bias[k + 1]! - layer.bias[0]!) / temperature);
  for (let d = 0; d < dense; d += 1) {
    for (let k = 0; k < free; k += 1) {
      denseKernel[d * free + k] = of(columns + d, k) / standard.deviation[d]!;
      bias[k]! -= denseKernel[d * free + k]! * standard.mean[d]!;
    }
  }
  const unseenWeight = Math.round(standard.unseenWeight / WEIGHT_STEP);
  return {
    shape: { columns, dense, classes, used: count, unseenWeight },
    used,
    before,
    weights,
    kernel,
    scale: Float32Array.from(steps),
    denseKernel,
    bias: Float32Array.from(bias),
  };
}

/** Bytes that it takes in memory. */
export function sparseHeadBytes(head: SparseHead): number {
  const { used, before, weights, kernel, scale, denseKernel, bias } = head;
  return [used, before, weights, kernel, scale, denseKernel, bias].reduce((sum, { byteLength }) => sum + byteLength, 0);
}

/**
 * Probabilities of one example.
 * @param row as the backbone answers it
 * @param out room for them, `[K]`
 * @returns `[K]`, adding up to 1
 */
export function scoreSparse(
  head: SparseHead,
  row: FeatureRow,
  out: Float32Array = new Float32Array(head.shape.classes),
): Float32Array {
  const { classes } = head.shape;
  sumsInto(head, expectSparse(head, row), out);
  for (let k = classes - 1; k > 0; k -= 1) out[k] = out[k - 1]!;
  out[0] = 0;
  softmax(out);
  return out;
}

/** Where the sums of a row are gathered in double precision. */
let room = new Float64Array(0);

/** Scores of all classes but the first, relative to it, into the first places of `out`. */
function sumsInto(head: SparseHead, { indices, values }: SparseRow, out: Float32Array): void {
  const { shape, weights, kernel, scale, denseKernel, bias } = head;
  const free = shape.classes - 1;
  if (room.length < free) room = new Float64Array(free);
  room.fill(0, 0, free);
  const end = values.length - shape.dense;
  let square = 0;
  for (let at = 0; at < end; at += 1) {
    const place = placeOf(head, indices[at]!);
    const value = values[at]! * (place < 0 ? shape.unseenWeight : weights[place]!);
    square += value * value;
    if (place < 0) continue;
    const start = place * free;
    for (let k = 0; k < free; k += 1) room[k]! += value * kernel[start + k]!;
  }
  const length = square > 0 ? SPARSE_LENGTH / Math.sqrt(square) : 0;
  for (let k = 0; k < free; k += 1) out[k] = bias[k]! + room[k]! * length * scale[k]!;
  for (let d = 0; d < shape.dense; d += 1) {
    const value = values[end + d]!;
    for (let k = 0; k < free; k += 1) out[k]! += value * denseKernel[d * free + k]!;
  }
}

/** A row as the head sees it: weighted, of one length. Dense columns stay as they are. */
export function weightedRow(head: SparseHead, row: FeatureRow): SparseRow {
  const { shape, weights } = head;
  const { columns, indices, values } = expectSparse(head, row);
  const out = Float32Array.from(values);
  const end = values.length - shape.dense;
  let square = 0;
  for (let at = 0; at < end; at += 1) {
    const place = placeOf(head, indices[at]!);
    out[at]! *= place < 0 ? shape.unseenWeight : weights[place]!;
    square += out[at]! ** 2;
  }
  const length = square > 0 ? SPARSE_LENGTH / Math.sqrt(square) : 0;
  for (let at = 0; at < end; at += 1) out[at]! *= length;
  return { columns, indices, values: out };
}

/**
 * What each value of a row adds to the score of a class, over the mean of all classes. With the bias they add up to that score.
 * @returns one number a value of the row, and the bias
 */
export function sharesOf(
  head: SparseHead,
  row: FeatureRow,
  classIndex: number,
): { shares: Float64Array; bias: number } {
  const { shape, kernel, scale, denseKernel, bias } = head;
  const free = shape.classes - 1;
  const { indices, values } = expectSparse(head, row);
  const end = values.length - shape.dense;
  const seen = weightedRow(head, row).values;
  // The first class has score 0, so the mean of all is the sum of the others over their number and one.
  const over = (of: (k: number) => number) => {
    let sum = 0;
    for (let k = 0; k < free; k += 1) sum += of(k);
    return (classIndex === 0 ? 0 : of(classIndex - 1)) - sum / shape.classes;
  };
  const shares = new Float64Array(values.length);
  for (let at = 0; at < end; at += 1) {
    const place = placeOf(head, indices[at]!);
    if (place >= 0) shares[at] = seen[at]! * over((k) => kernel[place * free + k]! * scale[k]!);
  }
  for (let d = 0; d < shape.dense; d += 1) {
    shares[end + d] = values[end + d]! * over((k) => denseKernel[d * free + k]!);
  }
  return { shares, bias: over((k) => bias[k]!) };
}

export function writeSparseHead(head: SparseHead): SparseHeadFiles {
  const { shape, scale, denseKernel, bias, used, weights, kernel } = head;
  return {
    shape: JSON.stringify({ format: 1, ...shape, weight_step: WEIGHT_STEP, length: SPARSE_LENGTH }),
    weights: new Uint8Array(
      Buffer.concat(
        [scale, bias, denseKernel, used, weights, kernel].map(({ buffer, byteOffset, byteLength }) =>
          Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength),
        ),
      ),
    ),
  };
}

/** Read what `writeSparseHead` wrote. @throws AppError `version_damaged` for anything else */
export function readSparseHead({ shape: json, weights: bytes }: SparseHeadFiles): SparseHead {
  try {
    const { columns, dense, classes, used: count, unseenWeight } = JSON.parse(json) as SparseShape;
    const free = classes - 1;
    const aligned = Uint8Array.prototype.slice.call(bytes).buffer; // a copy, and so aligned
    let offset = 0;
    const next = (length: number, size: number) => {
      const start = offset;
      offset += length * size;
      if (offset > aligned.byteLength) throw new RangeError('the weights are too short');
      return [aligned, start, length] as const;
    };
    const scale = new Float32Array(...next(free, 4));
    const bias = new Float32Array(...next(free, 4));
    const denseKernel = new Float32Array(...next(dense * free, 4));
    const used = new Uint32Array(...next(Math.ceil(columns / 32), 4));
    const weights = new Uint16Array(...next(count, 2));
    const kernel = new Int16Array(...next(count * free, 2));
    const before = ranksOf(used);
    if (offset !== aligned.byteLength || before.at(-1)! + ones(used.at(-1)!) !== count) {
      throw new RangeError('the weights have another size');
    }
    const shape = { columns, dense, classes, used: count, unseenWeight };
    return { shape, used, before, weights, kernel, scale, denseKernel, bias };
  } catch (error) {
    throw new AppError('version_damaged', 'The stored head is not one that Graft wrote.', { cause: error });
  }
}

/** @throws AppError `version_damaged` for features of another kind or size */
function expectSparse({ shape }: SparseHead, row: FeatureRow): SparseRow {
  if (isSparse(row) && row.columns === shape.columns + shape.dense) return row;
  throw new AppError('version_damaged', `The stored head takes ${shape.columns + shape.dense} sparse features.`);
}

/** Place of a column among the used ones; −1: it is none of them. */
function placeOf({ used, before }: SparseHead, column: number): number {
  const word = used[column >>> 5]!;
  const bit = 1 << (column & 31);
  return (word & bit) === 0 ? -1 : before[column >>> 5]! + ones(word & (bit - 1));
}

/** How many bits are set. */
function ones(word: number): number {
  let n = word - ((word >>> 1) & 0x55555555);
  n = (n & 0x33333333) + ((n >>> 2) & 0x33333333);
  return Math.imul((n + (n >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

function bitsOf({ offsets, indices }: SparseFeatures, rows: ArrayLike<number>, columns: number): Uint32Array {
  const used = new Uint32Array(Math.ceil(columns / 32));
  for (let i = 0; i < rows.length; i += 1) {
    for (let at = offsets[rows[i]!]!; at < offsets[rows[i]! + 1]!; at += 1) {
      const column = indices[at]!;
      if (column < columns) used[column >>> 5]! |= 1 << (column & 31);
    }
  }
  return used;
}

function ranksOf(used: Uint32Array): Uint32Array {
  const before = new Uint32Array(used.length);
  for (let word = 1; word < used.length; word += 1) before[word] = before[word - 1]! + ones(used[word - 1]!);
  return before;
}

function eachUsed(used: Uint32Array, visit: (column: number, place: number) => void): void {
  let place = 0;
  for (let column = 0; column < used.length * 32; column += 1) {
    if ((used[column >>> 5]! & (1 << (column & 31))) === 0) continue;
    visit(column, place);
    place += 1;
  }
}
