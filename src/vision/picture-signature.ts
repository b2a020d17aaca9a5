import sharp from 'sharp';

/** Luminance of a picture, stretched to `[SIDE, SIDE]`. */
export type PictureSignature = Float32Array;

const SIDE = 64;
/** Side of the grid that two pictures are compared on. */
const GRID = 32;
/** Cells around a cell whose mean is taken off it. */
const RADIUS = 3;
/** Shares cut off each side that are tried. */
const CROPS = [0, 0.02, 0.04, 0.06, 0.08];

/** @param bytes an image file that was accepted before */
export async function pictureSignature(bytes: Uint8Array, limits: { maxPixels: number }): Promise<PictureSignature> {
  const grey = await sharp(bytes, { limitInputPixels: limits.maxPixels, autoOrient: true })
    .flatten({ background: '#ffffff' })
    .resize(SIDE, SIDE, { fit: 'fill' })
    .toColourspace('b-w')
    .raw({ depth: 'uchar' })
    .toBuffer();
  return Float32Array.from(grey);
}

/**
 * How much two pictures are the same picture, whatever was done to the file: the correlation of their structure, mirrored
 * or not, one of them cropped a little or not. Each cell counts relative to its surroundings, so that two things before
 * the same white wall do not look alike.
 * @returns −1 to 1
 */
export function pictureSimilarity(a: PictureSignature, b: PictureSignature): number {
  const [whole, other] = [structure(a, 0, false), structure(b, 0, false)];
  let best = -1;
  for (const flip of [false, true]) {
    for (const crop of CROPS) {
      best = Math.max(best, dot(whole, structure(b, crop, flip)));
      if (crop > 0) best = Math.max(best, dot(other, structure(a, crop, flip)));
    }
  }
  return best;
}

/** `[GRID, GRID]` of length 1: the picture, cropped and mirrored, minus the mean around each cell. */
function structure(picture: PictureSignature, crop: number, flip: boolean): Float32Array {
  const sampled = new Float32Array(GRID * GRID);
  const step = (SIDE * (1 - 2 * crop)) / GRID;
  for (let y = 0; y < GRID; y += 1) {
    for (let x = 0; x < GRID; x += 1) {
      const column = flip ? GRID - 1 - x : x;
      sampled[y * GRID + x] = sample(picture, crop * SIDE + (column + 0.5) * step, crop * SIDE + (y + 0.5) * step);
    }
  }
  const out = new Float32Array(GRID * GRID);
  for (let y = 0; y < GRID; y += 1) {
    for (let x = 0; x < GRID; x += 1) out[y * GRID + x] = sampled[y * GRID + x]! - meanAround(sampled, x, y);
  }
  const length = Math.sqrt(dot(out, out));
  return length < 1e-3 ? out.fill(0) : out.map((value) => value / length);
}

/** Bilinear, at a place in cells of the signature. */
function sample(picture: PictureSignature, x: number, y: number): number {
  const [px, py] = [x - 0.5, y - 0.5].map((value) => Math.min(SIDE - 1, Math.max(0, value))) as [number, number];
  const [left, top] = [Math.min(SIDE - 2, Math.floor(px)), Math.min(SIDE - 2, Math.floor(py))];
  const at = top * SIDE + left;
  const above = picture[at]! + (picture[at + 1]! - picture[at]!) * (px - left);
  const below = picture[at + SIDE]! + (picture[at + SIDE + 1]! - picture[at + SIDE]!) * (px - left);
  return above + (below - above) * (py - top);
}

function meanAround(values: Float32Array, x: number, y: number): number {
  let [sum, count] = [0, 0];
  for (let j = Math.max(0, y - RADIUS); j <= Math.min(GRID - 1, y + RADIUS); j += 1) {
    for (let i = Math.max(0, x - RADIUS); i <= Math.min(GRID - 1, x + RADIUS); i += 1) {
      sum += values[j * GRID + i]!;
      count += 1;
    }
  }
  return sum / count;
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i += 1) sum += a[i]! * b[i]!;
  return sum;
}
