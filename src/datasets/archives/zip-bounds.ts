import { AppError } from '../../errors.js';
import type { ReadAhead } from './read-ahead.js';

/** Signatures of the end record, the locator of its 64-bit form, and a record of the directory. */
const END = 0x06054b50;
const END64_LOCATOR = 0x07064b50;
const RECORD = 0x02014b50;

const END_BYTES = 22;
const END64_LOCATOR_BYTES = 20;
/** Longest comment behind the end record. */
const COMMENT_BYTES = 0xffff;
/** Foreign bytes behind a zip are looked past as far as this. */
const MAX_TRAILING_BYTES = 1024 * 1024;

/** Stands in 32 bits where the 64-bit record says the number. */
const SEE_64 = 0xffffffff;

/** Where a zip lies in a file: programs and downloads may stand before it, and other bytes behind it. */
export interface ZipBounds {
  start: number;
  /** Behind the comment. */
  end: number;
}

/**
 * Find the zip in a file by its end record, as unzip does.
 * @returns undefined where there is none
 * @throws AppError `not_an_archive` for a part of a split zip
 */
export async function findZip(ahead: ReadAhead): Promise<ZipBounds | undefined> {
  for (const reach of [END_BYTES + COMMENT_BYTES, END_BYTES + COMMENT_BYTES + MAX_TRAILING_BYTES]) {
    const from = Math.max(0, ahead.size - reach);
    const tail = await ahead.read(from, ahead.size - from);
    for (let i = tail.length - END_BYTES; i >= 0; i -= 1) {
      if (tail.readUInt32LE(i) !== END) continue;
      const bounds = await boundsBy(ahead, from + i, tail.subarray(i, i + END_BYTES));
      if (bounds) return bounds;
    }
    if (from === 0) return undefined;
  }
  return undefined;
}

/** @param at where the end record lies */
async function boundsBy(ahead: ReadAhead, at: number, record: Buffer): Promise<ZipBounds | undefined> {
  const end = at + END_BYTES + record.readUInt16LE(20);
  if (end > ahead.size) return undefined;
  const [disk, directoryBytes, directoryAt] = [
    record.readUInt16LE(4),
    record.readUInt32LE(12),
    record.readUInt32LE(16),
  ];
  const before = at >= END64_LOCATOR_BYTES ? await ahead.read(at - END64_LOCATOR_BYTES, 4) : undefined;
  if (before?.readUInt32LE(0) === END64_LOCATOR || directoryAt === SEE_64) return { start: 0, end };
  if (disk > 0 && disk < 0xffff) throw partOfSplitZip();
  if (record.readUInt16LE(10) === 0 && directoryBytes === 0) return { start: 0, end };
  for (const start of [0, at - directoryBytes - directoryAt]) {
    if (start < 0 || start + directoryAt + 4 > at) continue;
    const first = await ahead.read(start + directoryAt, 4);
    if (first.readUInt32LE(0) === RECORD) return { start, end };
  }
  return undefined;
}

/** What to say of one of the files that a program made of a zip that was to be split. */
export function partOfSplitZip(): AppError {
  return new AppError(
    'not_an_archive',
    'This is a part of a split zip. Join the parts first (zip -s 0 parts.zip --out whole.zip, or open the first one with ' +
      '7-Zip), and send the whole.',
  );
}
