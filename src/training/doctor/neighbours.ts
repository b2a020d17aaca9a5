import { type Features, onlyDense } from '../../numbers/features.js';
import { seededRandom } from '../../numbers/random.js';
import { type Matrix, matrixProduct } from '../../onnx/matrix-product.js';

/** The nearest other images of each image, nearest first. */
export interface Neighbours {
  /** Neighbours per image. */
  count: number;
  /** `[n, count]` */
  index: Int32Array;
  /** `[n, count]`: squared Euclidean distances */
  distance: Float64Array;
}

/** Rows of one matrix product. */
const BLOCK = 1024;
/** Beyond so many images, the products are of random projections. */
const EXACT_IMAGES = 5000;
/** Distances are then right within about 9 %, and those that are kept are computed anew. */
const PROJECTED = 256;

/**
 * Each image's nearest others, by the squared distance of their features, from matrix products of blocks of images.
 * Beyond 5,000 images the features are projected to 256 random directions first (Johnson and Lindenstrauss), which keeps
 * distances nearly; those of the neighbours found are then exact.
 * @param options features: standardised, of `images` and more rows
 */
export async function nearestNeighbours(options: {
  features: Features;
  images: number;
  count: number;
}): Promise<Neighbours> {
  const { images } = options;
  const { values: x, columns: dimensions } = onlyDense(options.features);
  const count = Math.min(options.count, images - 1);
  const index = new Int32Array(images * count).fill(-1);
  const distance = new Float64Array(images * count).fill(Number.POSITIVE_INFINITY);
  const projected = images > EXACT_IMAGES && dimensions > PROJECTED;
  const compared = projected ? await project(x, images, dimensions) : x.subarray(0, images * dimensions);
  const D = projected ? PROJECTED : dimensions;
  const squares = squaredLengths(compared, images, D);

  const offer = (image: number, other: number, value: number) => {
    const first = image * count;
    let place = first + count - 1;
    for (; place > first && distance[place - 1]! > value; place -= 1) {
      distance[place] = distance[place - 1]!;
      index[place] = index[place - 1]!;
    }
    distance[place] = value;
    index[place] = other;
  };
  for (let a = 0; a < images; a += BLOCK) {
    const left = block(compared, a, images, D);
    for (let b = a; b < images; b += BLOCK) {
      const right = block(compared, b, images, D);
      const products = await matrixProduct(left, right);
      for (let i = 0; i < left.rows; i += 1) {
        const worst = (a + i) * count + count - 1;
        for (let j = a === b ? i + 1 : 0; j < right.rows; j += 1) {
          const value = Math.max(0, squares[a + i]! + squares[b + j]! - 2 * products[i * right.rows + j]!);
          if (value < distance[worst]!) offer(a + i, b + j, value);
          if (value < distance[(b + j) * count + count - 1]!) offer(b + j, a + i, value);
        }
      }
    }
  }
  if (projected) makeExact({ count, index, distance }, x, images, dimensions);
  return { count, index, distance };
}

function squaredLengths(x: Float32Array, images: number, D: number): Float64Array {
  return Float64Array.from({ length: images }, (_, image) => {
    let sum = 0;
    for (let d = image * D; d < (image + 1) * D; d += 1) sum += x[d]! * x[d]!;
    return sum;
  });
}

function block(x: Float32Array, start: number, images: number, columns: number): Matrix {
  const rows = Math.min(BLOCK, images - start);
  return { values: x.subarray(start * columns, (start + rows) * columns), rows, columns };
}

/** `[images, PROJECTED]` */
async function project(x: Float32Array, images: number, D: number): Promise<Float32Array> {
  const random = seededRandom(0, 'projection');
  // ±1 does as well as a Gaussian (Achlioptas, Database-friendly Random Projections, 2003).
  const values = Float32Array.from({ length: PROJECTED * D }, () => (random() < 0.5 ? -1 : 1) / Math.sqrt(PROJECTED));
  const directions = { values, rows: PROJECTED, columns: D };
  const out = new Float32Array(images * PROJECTED);
  for (let start = 0; start < images; start += BLOCK) {
    out.set(await matrixProduct(block(x, start, images, D), directions), start * PROJECTED);
  }
  return out;
}

/** Compute the distances of the neighbours found from all features, and sort them anew. */
function makeExact({ count, index, distance }: Neighbours, x: Float32Array, images: number, D: number): void {
  for (let image = 0; image < images; image += 1) {
    const found = Array.from(index.subarray(image * count, (image + 1) * count), (other) => {
      let sum = 0;
      for (let d = 0; d < D; d += 1) sum += (x[image * D + d]! - x[other * D + d]!) ** 2;
      return { other, sum };
    }).sort((a, b) => a.sum - b.sum);
    found.forEach(({ other, sum }, place) => {
      index[image * count + place] = other;
      distance[image * count + place] = sum;
    });
  }
}
