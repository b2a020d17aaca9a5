import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { extract, type Header } from 'tar-stream';
import { AppError } from '../../errors.js';
import {
  type ArchiveEntry,
  type ArchiveFormat,
  type ArchiveLimits,
  maxUnpackedBytes,
  type Refusal,
  sentence,
  tooManyEntries,
} from './archive.js';
import { decompressor } from './decompressor.js';
import { entryName } from './entry-name.js';

const BLOCK = 512;

/** Pieces in which the file is read and inflated. */
const CHUNK_BYTES = 256 * 1024;

const KINDS = new Map<Header['type'] | null, string>([
  ['link', 'a hard link'],
  ['symlink', 'a symbolic link'],
  ['character-device', 'a device'],
  ['block-device', 'a device'],
  ['fifo', 'a pipe'],
]);

export interface TarOptions extends ArchiveLimits {
  format: Exclude<ArchiveFormat, 'zip'>;
}

/**
 * The files of a tar, in order, in one pass. Links, devices and pipes are refused one by one and never followed.
 * A tar that lacks its end marker was cut off between two files, and is refused like one cut within a file.
 * @throws AppError `archive_damaged`, `archive_unsafe`, `archive_too_large`.
 */
export async function* readTar(path: string, options: TarOptions): AsyncGenerator<ArchiveEntry> {
  const { size: archiveBytes } = await stat(path);
  // The option is missing in its types: tars from before POSIX have no magic word.
  const tar = extract({ allowUnknownFormat: true } as Parameters<typeof extract>[0]);
  const sink = tar as unknown as NodeJS.WritableStream;
  const meter = { bytes: 0 };
  const limit = limitGrowth(meter, archiveBytes, options);
  const source = createReadStream(path, { highWaterMark: CHUNK_BYTES });
  const unpack = decompressor(options.format, CHUNK_BYTES);
  const feeding = unpack ? pipeline(source, unpack, limit, sink) : pipeline(source, limit, sink);
  // It is awaited below; until then a failure must not count as unhandled.
  feeding.catch(() => undefined);
  let entries = 0;
  let end = 0;
  try {
    for await (const entry of tar) {
      entries += 1;
      if (entries > options.maxEntries) throw tooManyEntries(entries, options.maxEntries);
      const { name, type, size } = entry.header;
      end = endOf(entry.header);
      const path = entryName(name);
      let reading: Promise<Buffer> | undefined;
      if (type !== 'directory' && path !== '') {
        yield {
          name: path,
          bytes: size,
          memory: size,
          refusal: refusalOf(type),
          read: () => {
            reading ??= collect(entry);
            return reading;
          },
        };
      }
      await (reading ?? skip(entry));
    }
    await feeding;
  } catch (error) {
    throw await faultOf(feeding, error);
  } finally {
    tar.destroy();
    await feeding.catch(() => undefined);
  }
  if (meter.bytes < end + BLOCK) {
    throw new AppError('archive_damaged', 'The tar has no end marker: it was cut off. Pack it again.');
  }
}

/** @param type null where tar-stream does not know it. */
function refusalOf(type: Header['type'] | null): Refusal | undefined {
  if (type === 'file' || type === 'contiguous-file') return undefined;
  const kind = KINDS.get(type) ?? 'of an unknown kind';
  return { code: 'not_a_regular_file', reason: `It is ${kind}; only regular files are taken.` };
}

/** Where the data of an entry ends in the tar, padding included. `byteOffset` is missing in tar-stream's types. */
function endOf({ type, size, byteOffset = 0 }: Header & { byteOffset?: number }): number {
  return byteOffset + (type === 'directory' ? 0 : Math.ceil(size / BLOCK) * BLOCK);
}

/** Passes bytes on, counts them, and stops what grows without end. */
function limitGrowth(meter: { bytes: number }, archiveBytes: number, limits: ArchiveLimits) {
  const allowed = maxUnpackedBytes(archiveBytes, limits);
  return async function* (source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of source) {
      meter.bytes += chunk.length;
      if (meter.bytes > allowed) {
        throw new AppError('archive_too_large', `The archive unpacks to more than ${limits.maxRatio} times its size.`, {
          details: { bytes: archiveBytes, max_ratio: limits.maxRatio },
        });
      }
      yield chunk;
    }
  };
}

async function collect(entry: AsyncIterable<unknown>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of entry) chunks.push(chunk as Buffer);
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
}

async function skip(entry: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of entry);
}

/** The first fault of the chain: what the iterator throws may be only its echo. */
async function faultOf(feeding: Promise<void>, thrown: unknown): Promise<unknown> {
  if (thrown instanceof AppError) return thrown;
  const error = await feeding.then(
    () => thrown,
    (fault) => fault,
  );
  if (!(error instanceof Error) || error instanceof AppError) return error;
  // zlib's codes begin with Z_; tar-stream's errors have none; the rest is the disk's.
  if ('code' in error && !String(error.code).startsWith('Z_')) return error;
  return new AppError('archive_damaged', `The tar cannot be read: ${sentence(error)}`, { cause: error });
}
