import { createHash } from 'node:crypto';
import { AppError, type ErrorCode } from '../errors.js';
import type { ArchiveEntry, Refusal } from './archives/archive.js';
import { looksLikeArchive } from './archives/archive-format.js';
import { type EntryKind, entryKind } from './entry-kind.js';

/** Reads the size of an image. @throws AppError `content_invalid`, `content_too_large`, `content_unsupported`. */
export type InspectImage = (bytes: Buffer) => Promise<{ width: number; height: number }>;

/** What became of one entry. */
export type Examined = { name: string } & (
  | { kind: 'image'; bytes: Buffer; sha256: string; width: number; height: number }
  | { kind: 'labels_file'; bytes: Buffer }
  | { kind: 'refused'; refusal: Refusal }
  | { kind: 'ignored' }
);

export interface ExamineOptions {
  inspectImage: InspectImage;
  maxImageBytes: number;
}

/** Largest labels file: half a million rows of a hundred bytes. */
export const MAX_LABELS_FILE_BYTES = 64 * 1024 * 1024;

const IMAGE_FAULTS: ErrorCode[] = ['content_invalid', 'content_too_large', 'content_unsupported'];

/**
 * Find out what an entry is, reading it only if it may be an image or a labels file. Begins to read at once.
 * @throws AppError `too_large`, `no_labels` for a labels file; whatever breaks in the archive or in `inspectImage`.
 */
export async function examineEntry(entry: ArchiveEntry, options: ExamineOptions): Promise<Examined> {
  const { name } = entry;
  const refused = (code: string, reason: string): Examined => ({ name, kind: 'refused', refusal: { code, reason } });
  const kind = entryKind(name);
  if (kind === 'junk') return { name, kind: 'ignored' };
  if (entry.refusal) return refuse(kind, name, entry.refusal);
  if (kind === 'archive') return refused('nested_archive', 'It is an archive; archives in archives are not opened.');
  if (kind === 'not_an_image') return refused('not_an_image', 'Its name says that it is no image.');
  if (kind === 'labels_file' && entry.bytes > MAX_LABELS_FILE_BYTES) {
    throw new AppError('too_large', `${name} is larger than ${MAX_LABELS_FILE_BYTES} bytes.`);
  }
  if (kind === 'candidate') {
    if (entry.bytes === 0) return refused('content_invalid', 'The file is empty.');
    if (entry.bytes > options.maxImageBytes) {
      return refused(
        'content_too_large',
        `The file has ${entry.bytes} bytes; an image may have at most ${options.maxImageBytes}.`,
      );
    }
  }
  const bytes = await entry.read();
  if (!Buffer.isBuffer(bytes)) return refuse(kind, name, bytes);
  if (kind === 'labels_file') return { name, kind, bytes };
  if (looksLikeArchive(bytes))
    return refused('nested_archive', 'It is an archive; archives in archives are not opened.');
  try {
    const { width, height } = await options.inspectImage(bytes);
    return { name, kind: 'image', bytes, sha256: createHash('sha256').update(bytes).digest('hex'), width, height };
  } catch (error) {
    if (error instanceof AppError && IMAGE_FAULTS.includes(error.code)) return refused(error.code, error.message);
    throw error;
  }
}

/** Without its labels file an archive would be read by its folders, and wrongly: that file must not just be left out. */
function refuse(kind: EntryKind, name: string, refusal: Refusal): Examined {
  if (kind === 'labels_file') throw new AppError('no_labels', `${name} cannot be used. ${refusal.reason}`);
  return { name, kind: 'refused', refusal };
}
