import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isErrno } from '../errors.js';

/** With less than this, a disk is low: the next upload or job may find it full. */
export const LOW_DISK_BYTES = 1024 ** 3;

/** Bytes that this user may still write to the disk of a folder, which need not exist yet. */
export async function freeBytes(folder: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize;
  } catch (error) {
    if (!isErrno(error, 'ENOENT') || dirname(folder) === folder) throw error;
    return freeBytes(dirname(folder));
  }
}

/** What is said of those folders whose disk is low; a sentence each. @param folders by the name under which they are told */
export async function lowDisks(folders: Record<string, string>): Promise<string[]> {
  const low: string[] = [];
  for (const [name, folder] of Object.entries(folders)) {
    const free = await freeBytes(folder).catch(() => undefined);
    if (free !== undefined && free < LOW_DISK_BYTES) low.push(`${Math.floor(free / 2 ** 20)} MB are left for ${name}.`);
  }
  return low;
}
