import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { isControl, markedUtf16 } from '../../backbones/decode-text.js';
import { AppError } from '../../errors.js';
import type { ArchiveFormat } from './archive.js';
import { decompressor, READS_ZSTD } from './decompressor.js';
import { ReadAhead } from './read-ahead.js';
import { findZip, partOfSplitZip } from './zip-bounds.js';

const ACCEPTED =
  'Send a zip, a tar or a tar.gz with a folder for each class, or a table of texts and labels (CSV, TSV, JSON lines).';

/** Length of a tar block, and all that is needed to know any format. */
const BLOCK = 512;

/** With it begins the first file of a zip that was split: `PK\7\8`. */
const SPLIT_MARKER = 0x08074b50;

const ZSTD = Buffer.from('28b52ffd', 'hex');

/** Formats that people send and that are not read here, by their first bytes. */
const OTHERS: [name: string, magic: Buffer][] = [
  ['bzip2', Buffer.from('BZh')],
  ['xz', Buffer.from('fd377a585a00', 'hex')],
  ['7z', Buffer.from('377abcaf271c', 'hex')],
  ['RAR', Buffer.from('Rar!')],
  ['Zstandard', ZSTD],
];

/**
 * Which kind of archive a file is, by its bytes and never by its name.
 * @throws AppError `not_an_archive`, `archive_empty` where there are no bytes at all, `archive_damaged` for broken gzip.
 */
export async function recogniseFormat(path: string): Promise<ArchiveFormat> {
  const block = await firstBlock(path);
  if (block.length === 0) throw new AppError('archive_empty', `The upload holds no bytes. ${ACCEPTED}`);
  if (isZip(block)) return 'zip';
  if (isTar(block)) return 'tar';
  if (isGzip(block)) {
    const inflated = await firstInflatedBlock(path, 'tar.gz');
    if (isTar(inflated)) return 'tar.gz';
    if (isTable(inflated)) return 'table.gz';
    throw new AppError('not_an_archive', `This is gzip, but no tar and no table lies in it. ${ACCEPTED}`);
  }
  if (READS_ZSTD && block.subarray(0, ZSTD.length).equals(ZSTD)) {
    if (isTar(await firstInflatedBlock(path, 'tar.zst'))) return 'tar.zst';
    throw new AppError('not_an_archive', `This is Zstandard, but no tar lies in it. ${ACCEPTED}`);
  }
  if (block.length >= 4 && block.readUInt32LE(0) === SPLIT_MARKER) throw partOfSplitZip();
  if (await hasZip(path)) return 'zip';
  if (isTable(block)) return 'table';
  const other = OTHERS.find(([, magic]) => block.subarray(0, magic.length).equals(magic));
  const found = other ? `This is a ${other[0]} archive, which is not read here.` : 'These bytes are no archive.';
  throw new AppError('not_an_archive', `${found} ${ACCEPTED}`, {
    details: { accepted: ['zip', 'tar', 'tar.gz', 'csv', 'tsv', 'jsonl'] },
  });
}

/** Whether `bytes` begin like an archive of any common kind: those inside another are refused, never opened. */
export function looksLikeArchive(bytes: Buffer): boolean {
  return (
    isZip(bytes) ||
    isGzip(bytes) ||
    bytes.subarray(257, 262).equals(Buffer.from('ustar')) ||
    OTHERS.some(([, magic]) => bytes.subarray(0, magic.length).equals(magic))
  );
}

function isZip(bytes: Buffer): boolean {
  // A file's header, or the end record of an empty zip.
  return ['PK\x03\x04', 'PK\x05\x06'].includes(bytes.toString('latin1', 0, 4));
}

function isGzip(bytes: Buffer): boolean {
  return bytes.length > 2 && bytes[0] === 0x1f && bytes[1] === 0x8b && bytes[2] === 8;
}

/** A first block with `ustar`, or (older than POSIX) with a right checksum; or two blocks of zeros, an empty tar. */
function isTar(block: Buffer): boolean {
  if (block.length < BLOCK) return false;
  if (block.toString('latin1', 257, 262) === 'ustar') return true;
  if (block.every((byte) => byte === 0)) return true;
  const written = Number.parseInt(block.toString('latin1', 148, 156).replaceAll('\0', ' ').trim(), 8);
  // The sum of the block, with its own field counted as eight spaces.
  const sum = block.reduce((total, byte, i) => total + (i >= 148 && i < 156 ? 0x20 : byte), 0);
  return written === sum;
}

/** The beginning of a text with a delimiter in it, or with JSON. */
function isTable(block: Buffer): boolean {
  const wide = markedUtf16(block);
  const text = wide ? new TextDecoder(wide).decode(block.subarray(0, block.length & ~1)) : block.toString('latin1');
  if ([...text].some((sign) => isControl(sign.charCodeAt(0)))) return false;
  return /[,;\t|]/.test(text) || /^\s*[{[]/.test(text) || text.startsWith('__label__');
}

/** A zip behind other bytes, such as a program that unpacks it. */
async function hasZip(path: string): Promise<boolean> {
  const file = await open(path, 'r');
  try {
    return (await findZip(await ReadAhead.of(file))) !== undefined;
  } finally {
    await file.close();
  }
}

async function firstBlock(path: string): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(BLOCK), position: 0 });
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

async function firstInflatedBlock(path: string, format: 'tar.gz' | 'tar.zst'): Promise<Buffer> {
  let block = Buffer.alloc(0);
  try {
    await pipeline(createReadStream(path), decompressor(format, 1024)!, async (inflated: AsyncIterable<Buffer>) => {
      for await (const chunk of inflated) {
        block = Buffer.concat([block, chunk]);
        if (block.length >= BLOCK) return;
      }
    });
  } catch (error) {
    // Leaving early ends the pipeline with an error of its own.
    if (block.length >= BLOCK) return block.subarray(0, BLOCK);
    throw cutOff(format, error);
  }
  // Node's Zstandard does not tell that its data ends too early.
  if (block.length === 0) throw cutOff(format);
  return block.subarray(0, BLOCK);
}

function cutOff(format: 'tar.gz' | 'tar.zst', cause?: unknown): AppError {
  const what = format === 'tar.gz' ? 'gzip' : 'Zstandard';
  return new AppError('archive_damaged', `The ${what} data is damaged or cut off.`, { cause });
}
