import type { ArchiveEntry, ArchiveFormat, ArchiveLimits } from './archive.js';
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
    const folder = archives.length > 1 && name !== null ? `${name.replace(/(\.tar)?\.[^.]*$/, '')}/` : '';
    for await (const entry of readArchive(path, format, limits)) {
      yield folder === '' || entry.name.includes('/') ? entry : { ...entry, name: `${folder}${entry.name}` };
    }
  }
}

/**
 * The files of an archive on disk, in the archive's order.
 * @throws AppError `archive_damaged`, `archive_encrypted`, `archive_unsafe`, `archive_too_large`.
 */
export function readArchive(path: string, format: ArchiveFormat, limits: ArchiveLimits): AsyncGenerator<ArchiveEntry> {
  if (format === 'zip') return readZip(path, limits);
  return readTar(path, { ...limits, format });
}
