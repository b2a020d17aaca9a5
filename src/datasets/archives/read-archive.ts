import type { ArchiveEntry, ArchiveFormat, ArchiveLimits } from './archive.js';
import { readTar } from './tar-entries.js';
import { readZip } from './zip-entries.js';

/**
 * The files of an archive on disk, in the archive's order.
 * @throws AppError `archive_damaged`, `archive_encrypted`, `archive_unsafe`, `archive_too_large`.
 */
export function readArchive(path: string, format: ArchiveFormat, limits: ArchiveLimits): AsyncGenerator<ArchiveEntry> {
  if (format === 'zip') return readZip(path, limits);
  return readTar(path, { ...limits, gzip: format === 'tar.gz' });
}
