import { open } from 'node:fs/promises';
import { promisify } from 'node:util';
import { crc32, inflateRaw } from 'node:zlib';
import { AppError } from '../../errors.js';
import type { ArchiveEntry, ArchiveLimits, Refusal } from './archive.js';
import { ReadAhead } from './read-ahead.js';
import { findZip } from './zip-bounds.js';
import {
  isReadMethod,
  LOCAL_HEADER_BYTES,
  methodName,
  readZipDirectory,
  STORED,
  type ZipRecord,
} from './zip-directory.js';

const inflate = promisify(inflateRaw);

/** Signature of a local header: `PK\3\4`. */
const LOCAL_HEADER = 0x04034b50;

/** What a name and an extra field take, but for unusual ones. */
const NAME_AND_EXTRA_BYTES = 512;

/**
 * The files of a zip, in the order of its central directory. Several may be read at once: each read is one piece of the
 * file and one inflate in the thread pool, for streams of 16 KB cost more than the inflating.
 * @throws AppError as `readZipDirectory` does, before the first entry.
 */
export async function* readZip(path: string, limits: ArchiveLimits): AsyncGenerator<ArchiveEntry> {
  const file = await open(path, 'r');
  const reads = new Set<Promise<unknown>>();
  try {
    const whole = await ReadAhead.of(file);
    const bounds = await findZip(whole);
    if (!bounds) throw noDirectory();
    const ahead = whole.part(bounds);
    for (const record of await readZipDirectory(ahead, limits)) {
      yield {
        name: record.name,
        bytes: record.bytes,
        memory: record.bytes + record.compressedBytes,
        ...(record.codePage && { codePage: record.codePage }),
        refusal: refusalOf(record),
        read: () => {
          const reading = readRecord(ahead, record);
          reads.add(reading);
          const forget = () => reads.delete(reading);
          reading.then(forget, forget);
          return reading;
        },
      };
    }
  } finally {
    await Promise.allSettled(reads);
    await file.close();
  }
}

/** What the directory alone already rules out. */
function refusalOf({ kind, method, bytes, compressedBytes }: ZipRecord): Refusal | undefined {
  if (kind === 'link') return { code: 'link', reason: 'It is a symbolic link; links are not followed.' };
  if (kind === 'special') return { code: 'not_a_regular_file', reason: 'It is not a regular file.' };
  if (!isReadMethod(method)) {
    return {
      code: 'unsupported_compression',
      reason: `It is compressed with ${methodName(method)}; only stored (0) and deflated (8) files are read.`,
    };
  }
  // Deflate adds 5 bytes per 16 KB at worst: what is far longer packed than unpacked would only fill the memory.
  if (compressedBytes > bytes + bytes / 256 + 1024) return damaged('it is far longer packed than unpacked');
  return undefined;
}

async function readRecord(file: ReadAhead, record: ZipRecord): Promise<Buffer | Refusal> {
  // With its name and extra field, of unknown length, and mostly all of the data: one read.
  const most = LOCAL_HEADER_BYTES + NAME_AND_EXTRA_BYTES + record.compressedBytes;
  const header = await file.read(record.offset, Math.min(most, record.end - record.offset));
  if (header.readUInt32LE(0) !== LOCAL_HEADER) return damaged('its header is not where the directory says');
  // Only the lengths are taken from the local header: name, size and checksum are the directory's.
  const start = record.offset + LOCAL_HEADER_BYTES + header.readUInt16LE(26) + header.readUInt16LE(28);
  if (start + record.compressedBytes > record.end) return damaged('it reaches into what follows it');
  const [from, to] = [start - record.offset, start - record.offset + record.compressedBytes];
  const packed = to <= header.length ? header.subarray(from, to) : await file.read(start, record.compressedBytes);
  const bytes = record.method === STORED ? packed : await unpack(packed, record.bytes);
  if (!Buffer.isBuffer(bytes)) return bytes;
  if (bytes.length !== record.bytes) return damaged(`it has ${bytes.length} bytes where ${record.bytes} are declared`);
  if (crc32(bytes) !== record.crc32) return damaged('its checksum (CRC-32) does not match');
  return bytes;
}

/** Inflate in one step, and stop at the first byte more than declared. */
async function unpack(packed: Buffer, bytes: number): Promise<Buffer | Refusal> {
  try {
    return await inflate(packed, { maxOutputLength: bytes + 1, chunkSize: Math.max(64, bytes + 1) });
  } catch (error) {
    if (error instanceof RangeError) return damaged('it holds more bytes than declared');
    return damaged(`its data cannot be inflated (${error instanceof Error ? error.message : error})`);
  }
}

function noDirectory(): AppError {
  return new AppError(
    'archive_damaged',
    'The zip has no directory at its end: it was cut off on the way, or it is the first part of a split zip. Send the whole ' +
      'file, or join the parts first.',
  );
}

function damaged(what: string): Refusal {
  return { code: 'damaged', reason: `The file is damaged in the archive: ${what}.` };
}
