import { createHash } from 'node:crypto';
import type { Modality } from '../backbones/modality.js';
import { AppError, type ErrorCode } from '../errors.js';
import type { ArchiveEntry, Refusal } from './archives/archive.js';
import { looksLikeArchive } from './archives/archive-format.js';
import { type EntryKind, entryKind } from './entry-kind.js';

/** What data sets need to know of a kind of content. */
export type DatasetModality = Pick<
  Modality,
  'id' | 'words' | 'maxBytes' | 'maxBytesSetting' | 'mayBeContent' | 'inspect' | 'ofCell' | 'mediaType'
>;

/** What became of one entry. */
export type Examined = { name: string } & (
  | { kind: 'content'; bytes: Buffer; sha256: string; facts: Record<string, number> }
  | { kind: 'table'; bytes: Buffer; canonical: boolean; otherwise: Refusal }
  | { kind: 'refused'; refusal: Refusal }
  | { kind: 'ignored' }
);

export interface ExamineOptions {
  /** Whose content is taken. */
  modality: DatasetModality;
  /** Those that would take other files, in a data set of their own. */
  others: DatasetModality[];
}

/** Largest file that is looked at because it may be a table of labels. */
const MAX_TABLE_BYTES = 16 * 1024 * 1024;

/** Largest labels file: half a million rows of a hundred bytes. */
const MAX_LABELS_FILE_BYTES = 64 * 1024 * 1024;
/** Largest table whose rows are texts. All of it is in memory while it is read. */
const MAX_TEXT_TABLE_BYTES = 256 * 1024 * 1024;

/** Most bytes of all tables together. */
export function mostTableBytes({ ofCell }: DatasetModality): number {
  return ofCell ? MAX_TEXT_TABLE_BYTES : MAX_LABELS_FILE_BYTES;
}

/** What a modality says of bytes that are none of its content. */
const CONTENT_FAULTS: ErrorCode[] = ['content_invalid', 'content_too_large', 'content_unsupported'];
const NESTED: Refusal = {
  code: 'nested_archive',
  reason: 'It is an archive; archives in archives are not opened. Unpack it, and pack what lies in it as a folder.',
};

/**
 * Find out what an entry is, reading it only if it may be content or a labels file. Begins to read at once.
 * @throws AppError `too_large`, `no_labels` for a labels file; whatever breaks in the archive or in `inspect`.
 */
export async function examineEntry(entry: ArchiveEntry, options: ExamineOptions): Promise<Examined> {
  const { name } = entry;
  const kind = entry.isTable ? 'table' : kindOf(name, options.modality);
  if (kind === 'junk') return { name, kind: 'ignored' };
  const otherwise = refusalByName(kind, name, options);
  const isTable =
    kind === 'labels_file' || (kind === 'table' && entry.bytes > 0 && entry.bytes <= mostOfOne(options.modality));
  const bySize = isTable && kind === 'table' ? undefined : refusalBySize(kind, entry, options.modality);
  const refusal = entry.refusal ?? (isTable ? undefined : otherwise) ?? bySize;
  if (refusal) return refuse(kind, name, refusal);
  const bytes = await entry.read();
  if (!Buffer.isBuffer(bytes)) return refuse(kind, name, bytes);
  if (isTable) {
    const notUsed = otherwise ?? { code: 'not_used', reason: 'It gives no labels.' };
    return { name, kind: 'table', bytes, canonical: kind === 'labels_file', otherwise: notUsed };
  }
  if (looksLikeArchive(bytes)) return refuse(kind, name, NESTED);
  const found = await inspectContent(name, bytes, options.modality);
  return found.kind === 'refused' ? refuse(kind, name, found.refusal) : found;
}

/** What a modality says of bytes that may be its content. @throws whatever breaks in `inspect` */
export async function inspectContent(
  name: string,
  bytes: Buffer,
  modality: DatasetModality,
): Promise<Extract<Examined, { kind: 'content' | 'refused' }>> {
  try {
    const facts = await modality.inspect(bytes);
    return { name, kind: 'content', bytes, sha256: createHash('sha256').update(bytes).digest('hex'), facts };
  } catch (error) {
    if (!(error instanceof AppError) || !CONTENT_FAULTS.includes(error.code)) throw error;
    return { name, kind: 'refused', refusal: { code: error.code, reason: error.message } };
  }
}

/** Of a file that only may be a table. */
function mostOfOne({ ofCell }: DatasetModality): number {
  return ofCell ? MAX_TEXT_TABLE_BYTES : MAX_TABLE_BYTES;
}

/** What may be content is no table. */
function kindOf(name: string, modality: DatasetModality): EntryKind {
  const kind = entryKind(name);
  return kind === 'table' && modality.mayBeContent(name) ? 'file' : kind;
}

function refusalByName(kind: EntryKind, name: string, { modality, others }: ExamineOptions): Refusal | undefined {
  const { one, many } = modality.words;
  if (kind === 'archive') return NESTED;
  if (kind === 'labels_file' || (kind === 'file' && modality.mayBeContent(name))) return undefined;
  const other = (kind === 'file' || kind === 'table') && others.find(({ mayBeContent }) => mayBeContent(name));
  if (!other) return { code: 'not_content', reason: `Its name says that it is no ${one}.` };
  return {
    code: 'other_modality',
    reason: `A data set holds one kind of content, and this one holds ${many}. Send ${other.words.many} as a data set of their own.`,
  };
}

/** @throws AppError `too_large` for a labels file. */
function refusalBySize(kind: EntryKind, { name, bytes }: ArchiveEntry, modality: DatasetModality): Refusal | undefined {
  if (kind === 'labels_file') {
    const most = mostTableBytes(modality);
    if (bytes <= most) return undefined;
    throw new AppError('too_large', `${name} is larger than ${most} bytes.`);
  }
  if (bytes === 0) return { code: 'content_invalid', reason: 'The file is empty.' };
  if (bytes <= modality.maxBytes) return undefined;
  return {
    code: 'content_too_large',
    reason: `The file has ${bytes} bytes; ${modality.words.many} may have at most ${modality.maxBytes} (${modality.maxBytesSetting}).`,
  };
}

/** Without its labels file an archive would be read by its folders, and wrongly: that file must not just be left out. */
function refuse(kind: EntryKind, name: string, refusal: Refusal): Examined {
  if (kind === 'labels_file') throw new AppError('no_labels', `${name} cannot be used. ${refusal.reason}`);
  return { name, kind: 'refused', refusal };
}
