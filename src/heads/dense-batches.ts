import { type Features, rowOf, type SparseFeatures, type SparseRow } from '../numbers/features.js';

/** Rows of features as dense batches, for an engine that knows no sparse ones. */
export interface DenseBatches {
  /** Columns of a batch, D′. */
  readonly columns: number;
  /** `[rows, D′]`, copied. */
  read(rows: Int32Array): Float32Array;
  /** What was learnt for the columns of a batch, `[D′, units]`, for all columns `[D, units]`: 0 for the others. */
  spread(kernel: Float32Array, units: number): Float32Array;
}

/** Bounds the memory of a hidden layer and its optimizer: 8 MB for 256 units, three times. */
const MAX_COLUMNS = 8192;

/**
 * Dense features are read as they are. Of sparse ones a batch has the columns that occur in the rows to train on, the most
 * frequent ones where there are more than 8,192: nothing can be learnt of a column that never occurs, and little of one that
 * hardly does.
 */
export function denseBatches(features: Features, train: Int32Array): DenseBatches {
  return features.kind === 'sparse' ? sparseBatches(features, train) : wholeBatches(features.values, features.columns);
}

function wholeBatches(values: Float32Array, columns: number): DenseBatches {
  return {
    columns,
    read(rows) {
      const batch = new Float32Array(rows.length * columns);
      rows.forEach((row, i) => {
        batch.set(values.subarray(row * columns, row * columns + columns), i * columns);
      });
      return batch;
    },
    spread: (kernel) => kernel,
  };
}

function sparseBatches(features: SparseFeatures, train: Int32Array): DenseBatches {
  const used = frequentColumns(features, train);
  const columns = used.length;
  const place = new Int32Array(features.columns).fill(-1);
  used.forEach((column, index) => {
    place[column] = index;
  });
  return {
    columns,
    read(rows) {
      const batch = new Float32Array(rows.length * columns);
      rows.forEach((row, i) => {
        const { indices, values } = rowOf(features, row) as SparseRow;
        for (let at = 0; at < values.length; at += 1) {
          const column = place[indices[at]!]!;
          if (column >= 0) batch[i * columns + column] = values[at]!;
        }
      });
      return batch;
    },
    spread(kernel, units) {
      const out = new Float32Array(features.columns * units);
      used.forEach((column, index) => {
        out.set(kernel.subarray(index * units, (index + 1) * units), column * units);
      });
      return out;
    },
  };
}

/** Ascending; never none, for an engine has no matrix without columns. */
function frequentColumns(features: SparseFeatures, train: Int32Array): Int32Array {
  const counts = new Int32Array(features.columns);
  for (const row of train) for (const column of (rowOf(features, row) as SparseRow).indices) counts[column]! += 1;
  const used = Int32Array.from(counts.keys()).filter((column) => counts[column]! > 0);
  if (used.length === 0) return Int32Array.of(0);
  if (used.length <= MAX_COLUMNS) return used;
  return used
    .sort((a, b) => counts[b]! - counts[a]! || a - b)
    .slice(0, MAX_COLUMNS)
    .sort();
}
