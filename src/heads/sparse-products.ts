import { type SparseFeatures, transposed } from '../numbers/features.js';
import { ProductMemory, type SparseInMemory } from './sparse-product.js';

/** Rows and their transpose in one memory. */
export class Products {
  readonly #memory: ProductMemory;
  readonly #features: SparseInMemory;
  readonly #transposed: SparseInMemory;
  readonly #lanes: number;
  /** Places of numbers `[columns, lanes]` and `[rows, lanes]`, and how many these are. */
  readonly #weights: { place: number; length: number };
  readonly #rows: { place: number; length: number };

  constructor(features: SparseFeatures, lanes: number) {
    const turned = transposed(features);
    const [ofRows, ofColumns] = [features.rows * lanes, features.columns * lanes];
    this.#lanes = lanes;
    this.#memory = new ProductMemory(bytesOf(features) + bytesOf(turned) + 4 * (ofRows + ofColumns));
    this.#features = this.#memory.hold(features);
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
function bytesOf({ offsets, values }: SparseFeatures): number {
  return 4 * (offsets.length + 2 * values.length) + 256;
}
