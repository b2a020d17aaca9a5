import { AppError } from '../errors.js';

/** A training image that a version remembers. */
export interface Exemplar {
  sha256: string;
  /** Path inside the archive. */
  name: string;
  label: string;
}

/** Two files of a version. */
export interface ExemplarFiles {
  /** JSON */
  images: string;
  /** float32 mean `[D]`, float32 deviation `[D]`, then int8 `[N, D]`: standardised, each row scaled to ±127. */
  features: Uint8Array;
}

interface ImagesFile {
  dimensions: number;
  /** Training images of the version; fewer may be remembered. */
  of: number;
  images: Exemplar[];
}

const MOST = 127;

/** @param options x: float32 `[rows, D]`, standardised by mean and deviation; rows: which of them, one per image */
export function writeExemplars(options: {
  images: Exemplar[];
  rows: number[];
  of: number;
  x: Float32Array;
  mean: Float32Array;
  deviation: Float32Array;
}): ExemplarFiles {
  const { images, rows, of, x, mean, deviation } = options;
  const D = mean.length;
  const features = new Uint8Array(8 * D + rows.length * D);
  features.set(new Uint8Array(Float32Array.from(mean).buffer));
  features.set(new Uint8Array(Float32Array.from(deviation).buffer), 4 * D);
  for (const [i, row] of rows.entries()) {
    const vector = x.subarray(row * D, (row + 1) * D);
    const largest = vector.reduce((top, value) => Math.max(top, Math.abs(value)), 0);
    const scale = largest > 0 ? MOST / largest : 0;
    features.set(new Uint8Array(Int8Array.from(vector, (value) => Math.round(value * scale)).buffer), (8 + i) * D);
  }
  return { images: JSON.stringify({ dimensions: D, of, images } satisfies ImagesFile), features };
}

/** The training images of a version and what they look like to its backbone. */
export class Exemplars {
  readonly #file: ImagesFile;
  readonly #mean: Float32Array;
  readonly #deviation: Float32Array;
  readonly #vectors: Int8Array;
  /** Length of each vector. */
  readonly #norms: Float64Array;

  /** @throws AppError `version_damaged` */
  constructor({ images, features }: ExemplarFiles) {
    this.#file = JSON.parse(images) as ImagesFile;
    const D = this.#file.dimensions;
    const N = this.#file.images.length;
    if (features.length !== 8 * D + N * D) {
      throw new AppError('version_damaged', 'The stored exemplars are not those that Graft wrote.');
    }
    const bytes = new Uint8Array(features); // a copy, and so aligned
    this.#mean = new Float32Array(bytes.buffer, 0, D);
    this.#deviation = new Float32Array(bytes.buffer, 4 * D, D);
    this.#vectors = new Int8Array(bytes.buffer, 8 * D);
    this.#norms = Float64Array.from({ length: N }, (_, i) => {
      let square = 0;
      for (let d = 0; d < D; d += 1) square += this.#vectors[i * D + d]! ** 2;
      return Math.sqrt(square);
    });
  }

  /** Bytes in memory, nearly. */
  get bytes(): number {
    return this.#vectors.length + 8 * this.#mean.length + 300 * this.#norms.length;
  }

  get images(): number {
    return this.#file.images.length;
  }

  /** Training images of the version. */
  get of(): number {
    return this.#file.of;
  }

  /**
   * The images that are most alike, best first.
   * @param features raw, `[D]`
   * @returns similarity: cosine of the standardised features, −1 to 1
   * @throws AppError `version_damaged` for features of another size
   */
  nearest(features: Float32Array, count: number): (Exemplar & { similarity: number })[] {
    const D = this.#file.dimensions;
    if (features.length !== D) {
      throw new AppError('version_damaged', `The stored exemplars have ${D} features, not ${features.length}.`);
    }
    const query = features.map((value, d) => (value - this.#mean[d]!) / this.#deviation[d]!);
    const length = Math.sqrt(query.reduce((sum, value) => sum + value * value, 0));
    const similarities = Float64Array.from(this.#norms, (norm, i) => {
      let product = 0;
      for (let d = 0; d < D; d += 1) product += query[d]! * this.#vectors[i * D + d]!;
      return product / Math.max(Number.MIN_VALUE, norm * length);
    });
    const order = [...similarities.keys()].sort((a, b) => similarities[b]! - similarities[a]!);
    return order.slice(0, count).map((i) => ({
      ...this.#file.images[i]!,
      similarity: Math.round(Math.min(1, similarities[i]!) * 1e4) / 1e4,
    }));
  }
}
