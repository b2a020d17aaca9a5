import type { SparseFeatures } from '../numbers/features.js';
import { ProductMemory, type SparseInMemory } from './sparse-product.js';

export type SparseMatrix = Pick<SparseFeatures, 'offsets' | 'indices' | 'values'>;

/** Rows and their transpose in one memory. */
export class Products {
  readonly #memory: ProductMemory;
  readonly #features: SparseInMemory;
  readonly #transposed: SparseInMemory;
  readonly #lanes: number;
  /** Places of numbers `[columns, lanes]` and `[rows, lanes]`, and how many these are. */
  readonly #weights: { place: number; length: number };
  readonly #rows: { place: number; length: number };

  constructor(matrix: SparseMatrix, columns: number, lanes: number) {
    const turned = transpose(matrix, columns);
    const [ofRows, ofColumns] = [(matrix.offsets.length - 1) * lanes, columns * lanes];
    this.#lanes = lanes;
    this.#memory = new ProductMemory(bytesOf(matrix) + bytesOf(turned) + 4 * (ofRows + ofColumns));
    this.#features = this.#memory.hold(matrix);
    this.#transposed = this.#memory.hold(turned);
    this.#weights = { place: this.#memory.room(ofColumns), length: ofColumns };
    this.#rows = { place: this.#memory.room(ofRows), length: ofRows };
  }

  /** Xᵀ · parts `[columns, lanes]`; valid until the next call. */
  weightsOf(parts: Float32Array): Float32Array {
    this.#memory.floats(this.#rows.place, this.#rows.length).set(parts);
    this.#memory.multiply(this.#transposed, this.#rows.place, this.#weights.place, this.#lanes);
    return this.#memory.floats(this.#weights.place, this.#weights.length);
  }

  /** X · Xᵀ · parts `[rows, lanes]`; valid until the next call. */
  scoresOf(parts: Float32Array): Float32Array {
    this.weightsOf(parts);
    this.#memory.multiply(this.#features, this.#weights.place, this.#rows.place, this.#lanes);
    return this.#memory.floats(this.#rows.place, this.#rows.length);
  }
}

/** Bytes of a matrix in a `ProductMemory`, with what is lost where an array ends. */
function bytesOf({ offsets, values }: SparseMatrix): number {
  return 4 * (offsets.length + 2 * values.length) + 256;
}

/** Column by column: the rows that have a value there, ascending, and the values. */
function transpose({ offsets, indices, values }: SparseMatrix, columns: number): SparseMatrix {
  const starts = new Int32Array(columns + 1);
  for (let at = 0; at < indices.length; at += 1) starts[indices[at]! + 1]! += 1;
  for (let column = 0; column < columns; column += 1) starts[column + 1]! += starts[column]!;
  const next = starts.slice();
  const out = { offsets: starts, indices: new Int32Array(values.length), values: new Float32Array(values.length) };
  for (let row = 0; row + 1 < offsets.length; row += 1) {
    for (let at = offsets[row]!; at < offsets[row + 1]!; at += 1) {
      const to = next[indices[at]!]!;
      next[indices[at]!] = to + 1;
      out.indices[to] = row;
      out.values[to] = values[at]!;
    }
  }
  return out;
}
