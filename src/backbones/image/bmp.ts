import { AppError } from '../../errors.js';

/** Pixels in rows from the top. */
export interface RawPixels {
  data: Buffer;
  width: number;
  height: number;
  /** 1: grey; 3: RGB */
  channels: 1 | 3;
}

const COMPRESSIONS = ['none', 'RLE8', 'RLE4', 'bit fields', 'JPEG', 'PNG', 'bit fields'];
const BIT_FIELDS = [3, 6];

/**
 * Decode a Windows bitmap: 1, 4, 8 bits with a palette, 16, 24 and 32 bits, from the bottom up or from the top down. Alpha is
 * not looked at, for most programs leave it 0. Format: BITMAPINFOHEADER and its kin.
 * @param refuse called with the size before pixels are made
 * @throws AppError `content_invalid`, `content_unsupported` for compressed ones
 */
export function readBmp(bytes: Uint8Array, refuse: (width: number, height: number) => void): RawPixels {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerSize = file.readUInt32LE(14);
  const old = headerSize === 12;
  if (!old && (headerSize < 40 || file.length < 14 + headerSize)) throw invalid('its header is not valid');
  const width = old ? file.readUInt16LE(18) : file.readInt32LE(18);
  const rows = old ? file.readUInt16LE(20) : file.readInt32LE(22);
  const height = Math.abs(rows);
  const bits = file.readUInt16LE(old ? 24 : 28);
  const compression = old ? 0 : file.readUInt32LE(30);
  if (width <= 0 || height === 0) throw invalid('it has no pixels');
  refuse(width, height);
  if (compression !== 0 && !BIT_FIELDS.includes(compression)) {
    const name = COMPRESSIONS[compression] ?? 'an unknown way';
    throw new AppError('content_unsupported', `This BMP is compressed by ${name}. Save it as PNG.`);
  }
  const start = file.readUInt32LE(10);
  const stride = Math.floor((bits * width + 31) / 32) * 4;
  if (start < 14 + headerSize || start + stride * height > file.length) throw invalid('it is cut off');
  const row = (y: number) => start + stride * (rows < 0 ? y : height - 1 - y);
  const data = Buffer.allocUnsafe(width * height * 3);
  const pixel = pixelReader(file, { bits, compression, headerSize, start });
  for (let y = 0, to = 0; y < height; y += 1) {
    const from = row(y);
    for (let x = 0; x < width; x += 1, to += 3) {
      const rgb = pixel(from, x);
      data[to] = rgb >> 16;
      data[to + 1] = (rgb >> 8) & 255;
      data[to + 2] = rgb & 255;
    }
  }
  return { data, width, height, channels: 3 };
}

interface Layout {
  bits: number;
  compression: number;
  headerSize: number;
  /** Where the pixels begin. */
  start: number;
}

/** @returns 0xRRGGBB of the pixel `x` in the row at `from` */
function pixelReader(file: Buffer, layout: Layout): (from: number, x: number) => number {
  const { bits, compression } = layout;
  if ([1, 4, 8].includes(bits) && compression === 0) {
    const colours = palette(file, layout);
    const [perByte, mask] = [8 / bits, (1 << bits) - 1];
    return (from, x) => {
      const byte = file[from + Math.floor(x / perByte)]!;
      return colours[(byte >> (8 - bits * ((x % perByte) + 1))) & mask]!;
    };
  }
  if (bits === 24 && compression === 0) {
    return (from, x) => {
      const at = from + 3 * x;
      return (file[at + 2]! << 16) | (file[at + 1]! << 8) | file[at]!;
    };
  }
  if (bits !== 16 && bits !== 32) throw invalid(`it has ${bits} bits a pixel`);
  const usual = bits === 16 ? [0x7c00, 0x3e0, 0x1f] : [0xff0000, 0xff00, 0xff];
  const masks = compression === 0 ? usual : [0, 4, 8].map((at) => file.readUInt32LE(54 + at));
  const [red, green, blue] = masks.map(channelOf) as [Channel, Channel, Channel];
  return (from, x) => {
    const value = bits === 16 ? file.readUInt16LE(from + 2 * x) : file.readUInt32LE(from + 4 * x);
    return (red(value) << 16) | (green(value) << 8) | blue(value);
  };
}

type Channel = (value: number) => number;

/** What a mask cuts out of a pixel, as 8 bits. */
function channelOf(mask: number): Channel {
  if (mask === 0) return () => 0;
  const shift = 31 - Math.clz32(mask & -mask);
  const most = mask >>> shift;
  return (value) => Math.round((((value & mask) >>> shift) * 255) / most);
}

/** Colours by index; those that the palette lacks are black. */
function palette(file: Buffer, { bits, headerSize, start }: Layout): Uint32Array {
  const colours = new Uint32Array(1 << bits);
  const size = headerSize === 12 ? 3 : 4;
  for (let i = 0, at = 14 + headerSize; i < colours.length && at + size <= start; i += 1, at += size) {
    colours[i] = (file[at + 2]! << 16) | (file[at + 1]! << 8) | file[at]!;
  }
  return colours;
}

function invalid(why: string): AppError {
  return new AppError('content_invalid', `The BMP cannot be decoded: ${why}.`);
}
