import sharp, { type Sharp } from 'sharp';
import { AppError } from '../../errors.js';
import { readBmp } from './bmp.js';
import { sniffImage } from './formats.js';
import { readNetpbm } from './netpbm.js';
import { readPlainJpeg } from './plain-jpeg.js';

sharp.cache(false);
sharp.block({ operation: ['VipsForeignLoad'] });
sharp.unblock({
  operation: [
    'VipsForeignLoadJpegBuffer',
    'VipsForeignLoadPngBuffer',
    'VipsForeignLoadWebpBuffer',
    'VipsForeignLoadNsgifBuffer',
    'VipsForeignLoadTiffBuffer',
    'VipsForeignLoadHeifBuffer',
  ],
});

export interface ImageLimits {
  maxPixels: number;
}

/**
 * So many times more pixels may a JPEG have that is made smaller as it is read, row by row: its memory is that of the small
 * picture. Phones of 108 and 200 megapixels write such files.
 */
const SHRINKS = 4;

/**
 * An image file, before its pixels are read, turned as its EXIF says. Of an animation the first frame counts, of a TIFF the
 * first page.
 * @throws AppError `content_unsupported`; of BMP and PPM `content_invalid` and `content_too_large`, too, for they are decoded here
 */
export function openImage(bytes: Uint8Array, limits: ImageLimits): Sharp {
  const format = sniffImage(bytes);
  if (format === 'bmp' || format === 'netpbm') {
    const read = format === 'bmp' ? readBmp : readNetpbm;
    const { data, ...raw } = read(bytes, (width, height) => {
      if (width * height > limits.maxPixels) throw tooManyPixels({ width, height }, limits);
    });
    return sharp(data, { raw });
  }
  const limitInputPixels = maxPixelsOf(bytes, limits);
  return sharp(bytes, { limitInputPixels, failOn: 'error', animated: false, autoOrient: true });
}

/**
 * The same for its pixels. A JPEG with more of them than others may have is made a quarter as wide and as high first, row by
 * row: turned by its EXIF, and cut to its middle, all of it would be in memory.
 */
export async function openForPixels(bytes: Uint8Array, limits: ImageLimits): Promise<Sharp> {
  const plain = bytes[0] === 0xff ? readPlainJpeg(bytes) : undefined;
  if (!plain || plain.width * plain.height <= limits.maxPixels) return openImage(bytes, limits);
  const [width, height] = [plain.width, plain.height].map((side) => Math.ceil(side / SHRINKS));
  const reduced = sharp(bytes, { limitInputPixels: maxPixelsOf(bytes, limits), failOn: 'error' })
    .resize({ width: width!, height: height!, fit: 'fill' })
    .keepMetadata()
    .png({ compressionLevel: 0 });
  return sharp(await reduced.toBuffer(), { failOn: 'error', autoOrient: true });
}

/** Most pixels that an image may have, by how it must be read. */
function maxPixelsOf(bytes: Uint8Array, { maxPixels }: ImageLimits): number {
  const shrinks = bytes[0] === 0xff && readPlainJpeg(bytes) !== undefined;
  return shrinks ? SHRINKS * maxPixels : maxPixels;
}

/** Whether a plain JPEG has few enough pixels. */
export function isWithin({ width, height }: { width: number; height: number }, { maxPixels }: ImageLimits): boolean {
  return width * height <= SHRINKS * maxPixels;
}

export function tooManyPixels(size: { width: number; height: number } | undefined, limits: ImageLimits): AppError {
  const { maxPixels } = limits;
  const found = size
    ? `${size.width} × ${size.height} pixels, ${size.width * size.height} together`
    : 'too many pixels';
  return new AppError(
    'content_too_large',
    `The image has ${found}; at most ${maxPixels} are taken (MAX_IMAGE_PIXELS). Make it smaller: the backbone sees far fewer.`,
    { details: { ...size, max_pixels: maxPixels } },
  );
}

/** The size that the header of an image says. */
export async function headerSize(bytes: Uint8Array): Promise<{ width: number; height: number } | undefined> {
  try {
    const { width, height } = await sharp(bytes, { limitInputPixels: false }).metadata();
    return { width, height };
  } catch {
    return undefined;
  }
}
