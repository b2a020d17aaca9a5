import { AppError } from '../../errors.js';

export type ImageFormat = 'jpeg' | 'png' | 'webp' | 'gif' | 'tiff' | 'avif' | 'bmp' | 'netpbm';

const ACCEPTED = 'JPEG, PNG, WebP, GIF, TIFF, AVIF, BMP, PPM and PGM are accepted';

/** What a format is called in a sentence. */
export const FORMAT_NAMES: Record<ImageFormat, string> = {
  jpeg: 'JPEG',
  png: 'PNG',
  webp: 'WebP',
  gif: 'GIF',
  tiff: 'TIFF',
  avif: 'AVIF',
  bmp: 'BMP',
  netpbm: 'PPM or PGM',
};

/** As browsers know them; PPM and PGM have one name. */
export const MEDIA_TYPES: Record<ImageFormat, string> = {
  jpeg: 'image/jpeg',
  png: 'image/png',
  webp: 'image/webp',
  gif: 'image/gif',
  tiff: 'image/tiff',
  avif: 'image/avif',
  bmp: 'image/bmp',
  netpbm: 'image/x-portable-anymap',
};

/** Brands of ISO media files that hold pictures of AV1. */
const AVIF_BRANDS = /^(avif|avis)/;
/** And of HEVC, which phones write, and which no free decoder comes with. */
const HEIC_BRANDS = /^(heic|heix|heim|heis|hevc|hevx|mif1|msf1)/;

/** How it begins, what it is called, what to do. */
type Foreign = [begins: RegExp | string[], name: string, advice: string];

/** Formats that are not read here: their first bytes as text, what they are called, and what to do. */
const OTHERS: Foreign[] = [
  [
    /^version https:\/\/git-lfs/,
    'a pointer of Git LFS and not the picture itself',
    'Run `git lfs pull`, then pack the files again',
  ],
  [/^\s*(<!doctype html|<html)/i, 'an HTML page', 'The download may have failed: open the file in an editor'],
  [/^\s*(<\?xml|<svg)/i, 'an SVG', 'Export it as PNG'],
  [/^%PDF/, 'a PDF', 'Export its pages as PNG'],
  [['\0\0\x01\0'], 'an icon (ICO)', 'Save it as PNG'],
  [['\0\0\0\x0cjP  ', '\xff\x4f\xff\x51'], 'a JPEG 2000', 'Convert it to JPEG or PNG'],
  [['\xff\x0a', '\0\0\0\x0cJXL '], 'a JPEG XL', 'Convert it to JPEG or PNG'],
  [/^8BPS/, 'a Photoshop file', 'Export it as JPEG or PNG'],
  [['v/1\x01'], 'an OpenEXR picture', 'Convert it to JPEG or PNG'],
  [/^.{128}DICM/s, 'a DICOM picture', 'Export it as PNG, with the window that shows what matters'],
  [/^P[1-4]\s/, 'a picture of Netpbm as text or bits', 'Save it in the binary form (P5 or P6), or as PNG'],
  [/^P7\s/, 'a PAM picture', 'Convert it to PNG'],
  [/^[IM]{2}(\*\0|\0\*).{4}CR/s, 'a raw picture of a camera', 'Export it as JPEG'],
];

/**
 * The kind of image, from its first bytes.
 * @throws AppError `content_unsupported` that says what it looks like and what to do, `content_invalid` where it is empty
 */
export function sniffImage(bytes: Uint8Array): ImageFormat {
  if (bytes.length === 0) throw new AppError('content_invalid', `The image is empty. ${ACCEPTED}.`);
  const start = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 160)).toString('latin1');
  const begins = (text: string) => start.startsWith(text);
  if (begins('\xff\xd8\xff')) return 'jpeg';
  if (begins('\x89PNG\r\n\x1a\n')) return 'png';
  if (begins('RIFF') && start.startsWith('WEBP', 8)) return 'webp';
  if (/^GIF8[79]a/.test(start)) return 'gif';
  if (begins('BM') && bytes.length > 26) return 'bmp';
  if (/^P[56][\s#]/.test(start)) return 'netpbm';
  const brands = start.startsWith('ftyp', 4) ? brandsOf(start, bytes) : [];
  if (brands.some((brand) => AVIF_BRANDS.test(brand))) return 'avif';
  const other =
    brands.length > 0
      ? mediaFile(brands)
      : OTHERS.find(([pattern]) => (Array.isArray(pattern) ? pattern.some(begins) : pattern.test(start)));
  if (!other && (begins('II*\0') || begins('MM\0*'))) return 'tiff';
  const [, name, advice] = other ?? (isTga(bytes) ? TGA : UNKNOWN);
  throw new AppError('content_unsupported', `This is ${name}. ${ACCEPTED}. ${advice}.`);
}

const TGA: Foreign = [[], 'a TGA', 'Convert it to PNG'];
const UNKNOWN: Foreign = [[], 'not an image', 'Convert it'];

/** Four letters each: the main brand, a version, and those that it is compatible with. */
function brandsOf(start: string, bytes: Uint8Array): string[] {
  const size = Math.min(start.length, Buffer.from(bytes.buffer, bytes.byteOffset, 4).readUInt32BE(0));
  const brands = [start.slice(8, 12)];
  for (let at = 16; at + 4 <= size; at += 4) brands.push(start.slice(at, at + 4));
  return brands;
}

function mediaFile(brands: string[]): Foreign {
  return brands.some((brand) => HEIC_BRANDS.test(brand))
    ? [
        [],
        'a HEIC photo, as iPhones take them',
        'Convert it to JPEG, or set the camera to Most Compatible; on a Mac: `sips -s format jpeg *.heic --out jpeg`',
      ]
    : [[], 'a video', 'Save single pictures of it as JPEG'];
}

/** Its signature stands at the end. */
function isTga(bytes: Uint8Array): boolean {
  return Buffer.from(bytes.subarray(-18)).toString('latin1').startsWith('TRUEVISION-XFILE');
}
