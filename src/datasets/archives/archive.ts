/**
 * archives/ reads zip and tar: entries one after another, with their bytes, and nothing is ever extracted to a path. What
 * an entry means is not known here: that is datasets/ and labels/. This file says what the reader of a format gives.
 */

import { AppError } from '../../errors.js';
import type { CodePage } from './code-page.js';

/** `table`: no archive at all, but one table of texts, plain or compressed; read as an archive of that one file. */
export type ArchiveFormat = 'zip' | 'tar' | 'tar.gz' | 'tar.zst' | 'table' | 'table.gz';

export interface ArchiveLimits {
  /** Most entries, folders and links included. */
  maxEntries: number;
  /** Most times an archive may grow when unpacked; applies beyond `RATIO_FREE_BYTES`. */
  maxRatio: number;
  /** Of names that do not say theirs, as the sender says; absent: by their bytes. */
  codePage?: string;
}

/** Up to here an archive may grow as it likes: a file of zeros packs a thousand to one, and harms nobody. */
export const RATIO_FREE_BYTES = 64 * 1024 * 1024;

/** Why one file was not taken, while the others go on. */
export interface Refusal {
  code: string;
  reason: string;
}

/** One file of an archive. Folders are not entries. */
export interface ArchiveEntry {
  /** Path inside the archive: relative, `/`-separated, without `.` and `..`. */
  name: string;
  /** Size as declared; `read` gives exactly this many bytes or a refusal. */
  bytes: number;
  /** Memory that `read` takes while it runs. */
  memory: number;
  /** By which the name was read, where the archive does not say. */
  codePage?: CodePage;
  /** It was sent by itself, and is a table whatever its name. */
  isTable?: true;
  /** Set where the archive itself already says that this is no file to take. */
  refusal?: Refusal;
  /** Read the file. Must be called, if at all, before the next entry is asked for; it may be awaited later. */
  read(): Promise<Buffer | Refusal>;
}

/** Most bytes an archive of `archiveBytes` may unpack to. */
export function maxUnpackedBytes(archiveBytes: number, { maxRatio }: Pick<ArchiveLimits, 'maxRatio'>): number {
  return Math.max(RATIO_FREE_BYTES, archiveBytes * maxRatio);
}

export function tooManyEntries(found: number, allowed: number): AppError {
  return new AppError('archive_too_large', `The archive has ${found} entries; at most ${allowed} are taken.`, {
    details: { max_entries: allowed },
  });
}

/** A library's message as the end of a sentence. */
export function sentence(error: Error): string {
  return /[.?!]$/.test(error.message) ? error.message : `${error.message}.`;
}
