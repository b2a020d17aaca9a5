import { openForPixels } from './open-image.js';

/**
 * The structure of a picture, whole and cropped a little: each `[GRID, GRID]`, luminance minus the mean around each cell,
 * of length 1.
 */
export type PictureSignature = Float32Array[];

/** Side that a picture is stretched to. */
const SIDE = 64;
/** Side of the grid that two pictures are compared on. */
const GRID = 32;
/** Cells around a cell whose mean is taken off it. */
const RADIUS = 3;
/** Shares cut off each side that are tried. */
const CROPS = [0, 0.02, 0.04, 0.06, 0.08];
/** Grey values over all cells; less is the noise of a blank picture. */
const MIN_STRUCTURE = 20;

/** Copies of a photo were at 0.89 and more; other photos, even of the same thing on the same ground, at 0.86 and less. */
export const SAME_PICTURE = 0.88;

/** @param bytes an image file that was accepted before */
export async function pictureSignature(bytes: Uint8Array, limits: { maxPixels: number }): Promise<PictureSignature> {
  const grey = await (await openForPixels(bytes, limits))
    .flatten({ background: '#ffffff' })
    .resize(SIDE, SIDE, { fit: 'fill' })
    .toColourspace('b-w')
    .raw({ depth: 'uchar' })
    .toBuffer();
  return CROPS.map((crop) => structure(grey, crop));
}

/**
 * How much two pictures are the same picture, whatever was done to the file: the correlation of their structure, mirrored
 * or not, one of them cropped a little or not. Each cell counts relative to its surroundings, so that two things before
 * the same white wall do not look alike.
 * @returns −1 to 1
 */
export function pictureSimilarity(a: PictureSignature, b: PictureSignature): number {
  let best = -1;
  for (const crop of CROPS.keys()) {
    best = Math.max(best, correlation(a[0]!, b[crop]!), correlation(a[crop]!, b[0]!));
  }
  return best;
}

/** Of two structures, or of one and the mirror image of the other. */
function correlation(a: Float32Array, b: Float32Array): number {
  let [same, mirrored] = [0, 0];
  for (let y = 0; y < GRID; y += 1) {
    for (let x = 0; x < GRID; x += 1) {
      const value = a[y * GRID + x]!;
      same += value * b[y * GRID + x]!;
      mirrored += value * b[y * GRID + GRID - 1 - x]!;
    }
  }
  return Math.max(same, mirrored);
}

function structure(picture: Uint8Array, crop: number): Float32Array {
  const step = (SIDE * (1 - 2 * crop)) / GRID;
  const place = (cell: number) => crop * SIDE + (cell + 0.5) * step;
  const cells = new Float32Array(GRID * GRID);
  for (let y = 0; y < GRID; y += 1) {
    for (let x = 0; x < GRID; x += 1) cells[y * GRID + x] = sample(picture, place(x), place(y));
  }
  const around = blurred(blurred(cells, 1, GRID), GRID, 1);
  const out = cells.map((value, i) => value - around[i]!);
  const length = Math.sqrt(out.reduce((sum, value) => sum + value * value, 0));
  return length < MIN_STRUCTURE ? out.fill(0) : out.map((value) => value / length);
}

/** Bilinear, at a place in pixels. */
function sample(picture: Uint8Array, x: number, y: number): number {
  const [px, py] = [x - 0.5, y - 0.5].map((value) => Math.min(SIDE - 1, Math.max(0, value))) as [number, number];
  const [left, top] = [Math.min(SIDE - 2, Math.floor(px)), Math.min(SIDE - 2, Math.floor(py))];
  const at = top * SIDE + left;
  const above = picture[at]! + (picture[at + 1]! - picture[at]!) * (px - left);
  const below = picture[at + SIDE]! + (picture[at + SIDE + 1]! - picture[at + SIDE]!) * (px - left);
  return above + (below - above) * (py - top);
}

/** Mean of the cells up to RADIUS away along one axis; `step` goes along it, `across` from line to line. */
function blurred(cells: Float32Array, step: number, across: number): Float32Array {
  const out = new Float32Array(cells.length);
  for (let line = 0; line < GRID; line += 1) {
    for (let i = 0; i < GRID; i += 1) {
      const [first, last] = [Math.max(0, i - RADIUS), Math.min(GRID - 1, i + RADIUS)];
      let sum = 0;
      for (let j = first; j <= last; j += 1) sum += cells[line * across + j * step]!;
      out[line * across + i * step] = sum / (last - first + 1);
    }
  }
  return out;
}
