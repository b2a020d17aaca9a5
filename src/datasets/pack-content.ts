import { AppError } from '../errors.js';
import type { Example, RefusedFile } from '../schemas/datasets.js';
import type { ArchiveEntry, Refusal } from './archives/archive.js';
import type { CodePage } from './archives/code-page.js';
import { type Examined, type ExamineOptions, examineEntry, MAX_LABELS_FILE_BYTES } from './examine-entry.js';
import { normalise } from './labels/label.js';
import type { TableFile } from './labels/contract.js';
import { rivalFiles } from './labels/listed-labels.js';
import { mapInOrder } from './map-in-order.js';
import { uploadBrokenOff } from './receive-upload.js';

/** A file that was taken, and where its content lies in the pack, before its label is known. */
export type PackedFile = Pick<Example, 'sha256' | 'name' | 'offset' | 'bytes' | 'facts'>;

/** What one pass over an archive found. */
export interface ArchiveFindings {
  files: PackedFile[];
  /** Size of the pack. */
  packBytes: number;
  /** Files that are tables of labels by their names, or may be. */
  tables: (TableFile & { otherwise: Refusal })[];
  refused: RefusedFile[];
  ignored: number;
  /** By which names were read that do not say theirs. */
  codePage?: CodePage;
  /** Paths of all entries, in Unicode form NFC. */
  paths: Set<string>;
}

export interface PackOptions extends ExamineOptions {
  /** Most entries read and inspected at once. */
  concurrency: number;
  signal?: AbortSignal;
}

/** Memory for entries under way. Enough for 8 files of 8 MB; one larger entry still goes through, alone. */
const MEMORY_BYTES = 64 * 1024 * 1024;

/** No layout has more: one a split, under several names. */
const MAX_LABELS_FILES = 16;
/** Most files that only may be tables: some formats put a text beside each image. */
const MAX_TABLES = 64;

/** Nothing found yet. */
export function noFindings(): ArchiveFindings {
  return { files: [], packBytes: 0, tables: [], refused: [], ignored: 0, paths: new Set() };
}

/**
 * One pass over an archive: the contents of its files one after another, equal ones once, as they are to lie in the pack.
 * What is found is written into `findings`, complete when the last byte is given. Labels may come in any order: nothing
 * is decided about them here.
 */
export async function* packContent(
  entries: AsyncIterable<ArchiveEntry>,
  options: PackOptions,
  findings: ArchiveFindings,
): AsyncGenerator<Buffer> {
  const { concurrency, signal, modality } = options;
  const offsets = new Map<string, number>();
  const names = new Set<string>();
  const examined = mapInOrder(
    entries,
    { concurrency, maxWeight: MEMORY_BYTES, weigh: (entry) => weightOf(entry, modality.maxBytes) },
    (entry) => {
      if (entry.codePage) findings.codePage = entry.codePage;
      return examineEntry(entry, options);
    },
  );
  for await (const found of examined) {
    if (signal?.aborted) throw uploadBrokenOff(signal.reason);
    findings.paths.add(normalise(found.name));
    if (found.kind !== 'ignored' && names.has(found.name)) {
      const reason = 'The archive has another file of this path before it, which counts.';
      findings.refused.push({ name: found.name, code: 'same_path', reason });
      continue;
    }
    names.add(found.name);
    if (found.kind !== 'content') {
      note(found, findings);
      continue;
    }
    const { name, sha256, bytes, facts } = found;
    const known = offsets.get(sha256);
    const offset = known ?? findings.packBytes;
    findings.files.push({
      sha256,
      name,
      offset,
      bytes: bytes.length,
      ...(Object.keys(facts).length > 0 && { facts }),
    });
    if (known !== undefined) continue;
    offsets.set(sha256, offset);
    findings.packBytes += bytes.length;
    yield bytes;
  }
}

/** An entry too large to be taken is never read, and takes no memory. */
function weightOf(entry: ArchiveEntry, maxBytes: number): number {
  return entry.bytes > Math.max(maxBytes, MAX_LABELS_FILE_BYTES) ? 0 : entry.memory;
}

function note(found: Exclude<Examined, { kind: 'content' }>, findings: ArchiveFindings): void {
  const { name } = found;
  if (found.kind === 'ignored') findings.ignored += 1;
  if (found.kind === 'refused') findings.refused.push({ name, ...found.refusal });
  if (found.kind !== 'table') return;
  const { canonical, bytes, otherwise } = found;
  const { tables, refused } = findings;
  if (!canonical && tables.filter((table) => !table.canonical).length >= MAX_TABLES) {
    refused.push({ name, ...otherwise });
    return;
  }
  tables.push({ name, bytes, canonical, otherwise });
  const canonicals = tables.filter((table) => table.canonical);
  if (canonicals.length > MAX_LABELS_FILES) throw rivalFiles(canonicals.map((table) => table.name));
  if (tables.reduce((sum, table) => sum + table.bytes.length, 0) <= MAX_LABELS_FILE_BYTES) return;
  if (canonical)
    throw new AppError('too_large', `The labels files together are larger than ${MAX_LABELS_FILE_BYTES} bytes.`);
  tables.pop();
  refused.push({ name, ...otherwise });
}
