/**
 * Everywhere in Graft, training or serving, the same bytes give the same pixels (`RECIPE` names how):
 *  1. the kind is read from the magic bytes; JPEG, PNG and WebP only, and only their libvips loaders are enabled;
 *  2. EXIF orientation is applied;
 *  3. the photo is scaled as the backbone's card says (stretch, or short side and centre);
 *  4. transparency is laid on white, colours become 8-bit sRGB.
 */
import sharp, { type Sharp } from 'sharp';
import { AppError } from '../../errors.js';
import type { ImageBackboneCard } from '../../schemas/backbones.js';
import { readPlainJpeg } from './plain-jpeg.js';
import { type Variation, varied } from './variations.js';

sharp.cache(false);
sharp.block({ operation: ['VipsForeignLoad'] });
sharp.unblock({
  operation: ['VipsForeignLoadJpegBuffer', 'VipsForeignLoadPngBuffer', 'VipsForeignLoadWebpBuffer'],
});

export type ImageFormat = 'jpeg' | 'png' | 'webp';

export interface ImageLimits {
  maxPixels: number;
}

const ACCEPTED = 'JPEG, PNG and WebP are accepted';

/**
 * The kind of image, from its first bytes.
 * @throws AppError `content_unsupported` that says what it looks like.
 */
export function sniffImage(bytes: Uint8Array): ImageFormat {
  const ascii = (start: number, text: string) =>
    [...text].every((letter, i) => bytes[start + i] === letter.charCodeAt(0));
  if (bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff) return 'jpeg';
  if (bytes[0] === 0x89 && ascii(1, 'PNG\r\n\x1a\n')) return 'png';
  if (ascii(0, 'RIFF') && ascii(8, 'WEBP')) return 'webp';
  if (bytes.length === 0) throw new AppError('content_invalid', `The image is empty. ${ACCEPTED}.`);
  const other =
    (ascii(0, 'GIF8') && 'a GIF') ||
    (ascii(4, 'ftypavif') && 'an AVIF') ||
    (ascii(4, 'ftyp') && 'a HEIC or a video') ||
    (ascii(0, 'BM') && 'a BMP') ||
    ((ascii(0, 'II*\0') || ascii(0, 'MM\0*')) && 'a TIFF') ||
    ((ascii(0, '<svg') || ascii(0, '<?xml')) && 'an SVG') ||
    (ascii(0, '%PDF') && 'a PDF') ||
    'not an image';
  throw new AppError('content_unsupported', `This is ${other}. ${ACCEPTED}; convert it.`);
}

/**
 * Check that an image can be decoded, to its last row, and say how large it is (after EXIF orientation). Most JPEGs tell
 * it by their headers; all else is decoded, at a reduced size where the format allows it.
 * @throws AppError `content_invalid`, `content_too_large` or `content_unsupported`
 */
export async function inspectImage(bytes: Uint8Array, limits: ImageLimits): Promise<{ width: number; height: number }> {
  const plain = sniffImage(bytes) === 'jpeg' ? readPlainJpeg(bytes) : undefined;
  const told = plain && !plain.mayTurn && plain.width * plain.height <= limits.maxPixels;
  if (told) return { width: plain.width, height: plain.height };
  return decoding(bytes, limits, async (image) => {
    const { autoOrient } = await image.metadata();
    if (plain) return autoOrient;
    await image.resize({ width: 8, height: 8, fit: 'fill', kernel: 'nearest' }).raw().toBuffer();
    return autoOrient;
  });
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
  return decoding(bytes, limits, async (image) => {
    const source = variation ? await varied(image, variation) : image;
    let scaled: Sharp;
    if (card.resize.mode === 'stretch') {
      scaled = source.resize({ width, height, fit: 'fill' });
    } else {
      const side = card.resize.short_side;
      const [outerWidth, outerHeight] = [Math.max(side, width), Math.max(side, height)];
      scaled = source.resize({ width: outerWidth, height: outerHeight, fit: 'cover', position: 'centre' }).extract({
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
  });
}

async function decoding<T>(bytes: Uint8Array, limits: ImageLimits, read: (image: Sharp) => Promise<T>): Promise<T> {
  const format = sniffImage(bytes);
  try {
    return await read(
      sharp(bytes, { limitInputPixels: limits.maxPixels, failOn: 'error', animated: false, autoOrient: true }),
    );
  } catch (error) {
    if (error instanceof AppError) throw error;
    const reason = error instanceof Error ? error.message.split('\n')[0]!.trim() : String(error);
    if (/pixel limit/i.test(reason)) {
      throw new AppError(
        'content_too_large',
        `The image has more than ${limits.maxPixels} pixels. Make it smaller: the backbone sees far fewer.`,
      );
    }
    throw new AppError('content_invalid', `The ${format.toUpperCase()} cannot be decoded: ${reason}.`, {
      cause: error,
    });
  }
}
