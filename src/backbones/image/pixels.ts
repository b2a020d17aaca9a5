/**
 * Everywhere in Graft, training or serving, the same bytes give the same pixels (`RECIPE` names how):
 *  1. the kind is read from the magic bytes; only the loaders of the kinds that are taken are enabled (open-image.ts);
 *  2. EXIF orientation is applied;
 *  3. the photo is scaled as the backbone's card says (stretch, or short side and centre); WebP is not shrunk as it loads,
 *     for it would then have other pixels than the same picture as PNG;
 *  4. transparency is laid on white, colours become 8-bit sRGB.
 */
import { createHash } from 'node:crypto';
import sharp, { type Sharp } from 'sharp';
import { AppError } from '../../errors.js';
import type { ImageBackboneCard } from '../../schemas/backbones.js';
import { FORMAT_NAMES, sniffImage } from './formats.js';
import { headerSize, type ImageLimits, isWithin, openForPixels, openImage, tooManyPixels } from './open-image.js';
import { readPlainJpeg } from './plain-jpeg.js';
import { type Variation, varied } from './variations.js';

/** What is kept of an image; 1 where it is so. */
export interface ImageFacts extends Record<string, number> {
  /** After EXIF orientation. */
  width: number;
  height: number;
}

/** A JPEG of one colour has fewer bytes: the others need no look. */
const MAX_BLANK_BYTES_A_PIXEL = 0.03;
/** Largest value of 12 bits, as cameras and scanners put them into 16. */
const DARK = 4095;
/** A shorter side shows nothing. */
const SMALL_SIDE = 8;

/** Pixels of a broken JPEG that are decoded to see whether all its rows are there. */
const MAX_MENDED_PIXELS = 25_000_000;

/**
 * Check that an image can be decoded, to its last row, and say how large it is (after EXIF orientation). Most JPEGs tell
 * it by their headers; all else is decoded, at a reduced size where the format allows it.
 * @throws AppError `content_invalid`, `content_too_large` or `content_unsupported`
 */
export async function inspectImage(bytes: Uint8Array, limits: ImageLimits): Promise<ImageFacts> {
  const plain = sniffImage(bytes) === 'jpeg' ? readPlainJpeg(bytes) : undefined;
  const busy = plain && bytes.length > MAX_BLANK_BYTES_A_PIXEL * plain.width * plain.height;
  const told = plain && busy && !plain.mayTurn && isWithin(plain, limits);
  if (told) return { width: plain.width, height: plain.height };
  return decoding(bytes, limits, async (image) => {
    const { autoOrient, depth } = await image.metadata();
    if (plain && busy) return autoOrient;
    const small = image.clone().resize({ width: 8, height: 8, fit: 'fill', kernel: 'nearest' });
    const { data, info } = await small.raw({ depth: 'ushort' }).toBuffer({ resolveWithObject: true });
    const samples = new Uint16Array(data.buffer, data.byteOffset, data.length / 2);
    const maySay = isOneColour(samples, info.channels) || (depth === 'ushort' && Math.max(...samples) <= DARK);
    return maySay ? { ...autoOrient, ...(await contentFacts(image, depth)) } : autoOrient;
  });
}

/** Whether what was sampled of an image is one colour, or is transparent: then it is worth a look at all of it. */
function isOneColour(samples: Uint16Array, channels: number): boolean {
  if ((channels === 2 || channels === 4) && samples.every((value, i) => i % channels < channels - 1 || value === 0)) {
    return true;
  }
  return samples.every((value, i) => value === samples[i % channels]);
}

async function contentFacts(image: Sharp, depth: string): Promise<Partial<ImageFacts>> {
  const { channels } = await image.clone().stats();
  const hasAlpha = channels.length === 2 || channels.length === 4;
  if (hasAlpha && channels.at(-1)!.max === 0) return { transparent: 1 };
  if (channels.every(({ min, max }) => min === max)) return { one_colour: 1 };
  const colours = hasAlpha ? channels.slice(0, -1) : channels;
  return depth === 'ushort' && colours.every(({ max }) => max <= DARK) ? { dark: 1 } : {};
}

/** What is odd about an image that was accepted, as the end of a sentence that begins with its name; undefined: nothing. */
export function oddImage({
  width = 0,
  height = 0,
  transparent,
  one_colour,
  dark,
}: Partial<ImageFacts>): string | undefined {
  if (Math.min(width, height) < SMALL_SIDE) return `has ${width} × ${height} pixels`;
  if (transparent) return 'is transparent all over';
  if (one_colour) return 'has one colour all over';
  return dark ? `uses ${DARK + 1} of 65,536 values at the most and looks black: scale its values` : undefined;
}

/**
 * Decode an image to the pixels that a backbone wants.
 * @returns uint8 `[height, width, 3]`, RGB
 * @throws AppError `content_invalid`, `content_too_large` or `content_unsupported`
 */
export async function decodeImage(
  bytes: Uint8Array,
  card: Pick<ImageBackboneCard, 'input' | 'resize'>,
  limits: ImageLimits,
  variation?: Variation,
): Promise<Uint8Array> {
  const { width, height } = card.input;
  return decoding(
    bytes,
    limits,
    async (image) => {
      const source = variation ? await varied(image, variation) : image;
      const fastShrinkOnLoad = sniffImage(bytes) !== 'webp';
      let scaled: Sharp;
      if (card.resize.mode === 'stretch') {
        scaled = source.resize({ width, height, fit: 'fill', fastShrinkOnLoad });
      } else {
        const side = card.resize.short_side;
        const [outerWidth, outerHeight] = [Math.max(side, width), Math.max(side, height)];
        scaled = source
          .resize({ width: outerWidth, height: outerHeight, fit: 'cover', position: 'centre', fastShrinkOnLoad })
          .extract({
            left: (outerWidth - width) >> 1,
            top: (outerHeight - height) >> 1,
            width,
            height,
          });
      }
      const { data, info } = await scaled
        .flatten({ background: '#ffffff' })
        .toColourspace('srgb')
        .raw({ depth: 'uchar' })
        .toBuffer({ resolveWithObject: true });
      if (info.channels !== 3 || data.length !== width * height * 3) {
        throw new AppError('content_invalid', `The image decodes to ${info.channels} channels where 3 were expected.`);
      }
      return data;
    },
    openForPixels,
  );
}

async function decoding<T>(
  bytes: Uint8Array,
  limits: ImageLimits,
  read: (image: Sharp) => Promise<T>,
  open: (bytes: Uint8Array, limits: ImageLimits) => Sharp | Promise<Sharp> = openImage,
): Promise<T> {
  const format = sniffImage(bytes);
  try {
    return await read(await open(bytes, limits));
  } catch (error) {
    if (error instanceof AppError) throw error;
    const reason = error instanceof Error ? error.message.split('\n')[0]!.trim() : String(error);
    if (format === 'jpeg' && /premature end/i.test(reason)) {
      const whole = await withEndMarker(bytes);
      if (whole) return decoding(whole, limits, read, open);
    }
    if (/pixel limit/i.test(reason)) throw tooManyPixels(await headerSize(bytes), limits);
    throw new AppError('content_invalid', `The ${FORMAT_NAMES[format]} cannot be decoded: ${reason}.`, {
      cause: error,
    });
  }
}

/**
 * A JPEG that lacks only its end marker, with one. Whether rows are missing shows by what stands behind the data: where all
 * are there it changes nothing, where some are missing it becomes pixels.
 * @returns undefined where rows are missing
 */
async function withEndMarker(bytes: Uint8Array): Promise<Uint8Array | undefined> {
  // Half a marker at the end would make one of what follows.
  const data = bytes.at(-1) === 0xff ? bytes.subarray(0, -1) : bytes;
  const decoded = async (behind: number[]) => {
    const whole = Buffer.concat([data, Buffer.from(behind), Buffer.from([0xff, 0xd9])]);
    const pixels = await sharp(whole, { limitInputPixels: MAX_MENDED_PIXELS, failOn: 'error' }).raw().toBuffer();
    return { whole, digest: createHash('sha256').update(pixels).digest('hex') };
  };
  try {
    const { whole, digest } = await decoded([]);
    const filler = [...Array(64).keys()];
    for (const behind of [filler.map((n) => (n * 37 + 91) % 251), filler.map((n) => (n * 101 + 7) % 241)]) {
      if ((await decoded(behind)).digest !== digest) return undefined;
    }
    return whole;
  } catch {
    return undefined;
  }
}
