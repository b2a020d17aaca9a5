import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { AppError } from '../../errors.js';
import { type ArchiveEntry, type ArchiveFormat, type ArchiveLimits, maxUnpackedBytes } from './archive.js';
import { decompressor } from './decompressor.js';
import { readTar } from './tar-entries.js';
import { readZip } from './zip-entries.js';

/**
 * The files of several archives, as if they were one. Where the files of an archive lie in no folder, its own name stands for
 * one: that is how a class is packed by itself.
 * @throws AppError as `readArchive`
 */
export async function* readArchives(
  archives: { path: string; name: string | null; format: ArchiveFormat }[],
  limits: ArchiveLimits,
): AsyncGenerator<ArchiveEntry> {
  for (const { path, name, format } of archives) {
    const folder =
      archives.length > 1 && !isTable(format) && name !== null ? `${name.replace(/(\.tar)?\.[^.]*$/, '')}/` : '';
    for await (const entry of readArchive(path, format, limits, name)) {
      yield folder === '' || entry.name.includes('/') ? entry : { ...entry, name: `${folder}${entry.name}` };
    }
  }
}

/** What a table is called that came without a name, or with one that says nothing of tables. */
const TABLE_NAME = /\.(csv|tsv|txt|jsonl|ndjson|json)$/i;

/** A table that was sent by itself. */
async function* readTableFile(
  path: string,
  { name, format }: { name: string | null; format: 'table' | 'table.gz' },
  limits: ArchiveLimits,
): AsyncGenerator<ArchiveEntry> {
  const plain = (name ?? 'table').replace(/\.gz$/i, '').split(/[/\\]/).at(-1)!;
  const { size } = await stat(path);
  yield {
    name: TABLE_NAME.test(plain) ? plain : `${plain}.csv`,
    bytes: size,
    memory: size,
    isTable: true,
    read: async () => {
      const chunks =
        format === 'table' ? createReadStream(path) : createReadStream(path).compose(decompressor(format, 1 << 20)!);
      const most = maxUnpackedBytes(size, limits);
      const pieces: Buffer[] = [];
      let bytes = 0;
      try {
        for await (const chunk of chunks as AsyncIterable<Buffer>) {
          bytes += chunk.length;
          if (bytes > most) throw new AppError('archive_too_large', `The table unpacks to more than ${most} bytes.`);
          pieces.push(chunk);
        }
      } catch (error) {
        if (error instanceof AppError || format === 'table') throw error;
        throw new AppError('archive_damaged', 'The gzip data is damaged or cut off.', { cause: error });
      }
      return Buffer.concat(pieces);
    },
  };
}

/**
 * The files of an archive on disk, in the archive's order; a table by itself is one file.
 * @param name what the archive is called
 * @throws AppError `archive_damaged`, `archive_encrypted`, `archive_unsafe`, `archive_too_large`.
 */
export function readArchive(
  path: string,
  format: ArchiveFormat,
  limits: ArchiveLimits,
  name: string | null = null,
): AsyncIterable<ArchiveEntry> {
  if (isTable(format)) return readTableFile(path, { name, format }, limits);
  if (format === 'zip') return readZip(path, limits);
  return readTar(path, { ...limits, format });
}

function isTable(format: ArchiveFormat): format is 'table' | 'table.gz' {
  return format === 'table' || format === 'table.gz';
}
