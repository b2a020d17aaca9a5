import { AppError } from '../../errors.js';
import type { RawPixels } from './bmp.js';

/** `P6 # a comment\n30 29\n255\n`: three numbers behind the magic, between blanks and comments; one blank ends them. */
const HEADER = /^P([56])(?:\s|#[^\n]*\n)+(\d{1,9})(?:\s|#[^\n]*\n)+(\d{1,9})(?:\s|#[^\n]*\n)+(\d{1,5})\s/;
/** Longest header that is looked at. */
const MAX_HEADER = 1024;

/**
 * Decode a PGM or PPM in its binary form (P5, P6), of up to 16 bits. Format: Netpbm's own description.
 * @param refuse called with the size before pixels are made
 * @throws AppError `content_invalid`
 */
export function readNetpbm(bytes: Uint8Array, refuse: (width: number, height: number) => void): RawPixels {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const header = HEADER.exec(file.toString('latin1', 0, MAX_HEADER));
  if (!header) throw invalid('its header is not valid');
  const [width, height, most] = header.slice(2).map(Number) as [number, number, number];
  const channels = header[1] === '6' ? 3 : 1;
  if (width === 0 || height === 0) throw invalid('it has no pixels');
  if (most === 0 || most > 65_535) throw invalid(`its largest value is ${most}`);
  refuse(width, height);
  const count = width * height * channels;
  const samples = file.subarray(header[0].length);
  const size = most > 255 ? 2 : 1;
  if (samples.length < count * size) throw invalid('it is cut off');
  if (most === 255) return { data: samples.subarray(0, count), width, height, channels };
  const data = Buffer.allocUnsafe(count);
  for (let i = 0; i < count; i += 1) {
    const value = size === 2 ? samples.readUInt16BE(2 * i) : samples[i]!;
    data[i] = Math.round((Math.min(value, most) * 255) / most);
  }
  return { data, width, height, channels };
}

function invalid(why: string): AppError {
  return new AppError('content_invalid', `The PPM or PGM cannot be decoded: ${why}.`);
}
