import { AppError } from '../errors.js';
import type { DatasetEntry, RefusedFile } from '../schemas/datasets.js';
import type { ArchiveEntry } from './archives/archive.js';
import { type Examined, examineEntry, type InspectImage, MAX_LABELS_FILE_BYTES } from './examine-entry.js';
import { normalise } from './labels/label.js';
import { rivalFiles } from './labels/listed-labels.js';
import { mapInOrder } from './map-in-order.js';
import { clientLeft } from './receive-upload.js';

/** An image in the pack, before its label is known. */
export type PackedImage = Omit<DatasetEntry, 'label' | 'split'>;

/** What one pass over an archive found. */
export interface Findings {
  images: PackedImage[];
  labelsFiles: { name: string; bytes: Buffer }[];
  refused: RefusedFile[];
  ignored: number;
  /** Paths of all entries, in Unicode form NFC. */
  paths: Set<string>;
}

export interface PackOptions {
  inspectImage: InspectImage;
  maxImageBytes: number;
  /** Most entries read and inspected at once. */
  concurrency: number;
  signal?: AbortSignal;
}

/** Memory for entries under way. Enough for 8 photos of 8 MB; one larger entry still goes through, alone. */
const MEMORY_BYTES = 64 * 1024 * 1024;

/** No layout has more: one a split, under several names. */
const MAX_LABELS_FILES = 16;

/** Nothing found yet. */
export function noFindings(): Findings {
  return { images: [], labelsFiles: [], refused: [], ignored: 0, paths: new Set() };
}

/**
 * One pass over an archive: the bytes of its images one after another, each content once, as they are to lie in the
 * pack. What is found is written into `findings`, complete when the last byte is given. Labels may come in any order:
 * nothing is decided about them here.
 */
export async function* packImages(
  entries: AsyncIterable<ArchiveEntry>,
  options: PackOptions,
  findings: Findings,
): AsyncGenerator<Buffer> {
  const { concurrency, signal } = options;
  const offsets = new Map<string, number>();
  const names = new Set<string>();
  let end = 0;
  const examined = mapInOrder(
    entries,
    { concurrency, maxWeight: MEMORY_BYTES, weigh: (entry) => weightOf(entry, options.maxImageBytes) },
    (entry) => examineEntry(entry, options),
  );
  for await (const found of examined) {
    if (signal?.aborted) throw clientLeft(signal.reason);
    findings.paths.add(normalise(found.name));
    if (found.kind !== 'ignored' && names.has(found.name)) {
      const reason = 'The archive has another file of this path before it, which counts.';
      findings.refused.push({ name: found.name, code: 'same_path', reason });
      continue;
    }
    names.add(found.name);
    if (found.kind !== 'image') {
      note(found, findings);
      continue;
    }
    const { name, sha256, width, height, bytes } = found;
    const offset = offsets.get(sha256) ?? end;
    findings.images.push({ name, offset, bytes: bytes.length, sha256, width, height });
    if (offset !== end) continue;
    offsets.set(sha256, offset);
    end += bytes.length;
    yield bytes;
  }
}

/** An entry too large to be taken is never read, and takes no memory. */
function weightOf(entry: ArchiveEntry, maxImageBytes: number): number {
  return entry.bytes > Math.max(maxImageBytes, MAX_LABELS_FILE_BYTES) ? 0 : entry.memory;
}

function note(found: Exclude<Examined, { kind: 'image' }>, findings: Findings): void {
  const { name } = found;
  if (found.kind === 'ignored') findings.ignored += 1;
  if (found.kind === 'refused') findings.refused.push({ name, ...found.refusal });
  if (found.kind !== 'labels_file') return;
  const { labelsFiles } = findings;
  labelsFiles.push({ name, bytes: found.bytes });
  if (labelsFiles.length > MAX_LABELS_FILES) throw rivalFiles(labelsFiles.map((file) => file.name));
  const total = labelsFiles.reduce((sum, { bytes }) => sum + bytes.length, 0);
  if (total > MAX_LABELS_FILE_BYTES) {
    throw new AppError('too_large', `The labels files together are larger than ${MAX_LABELS_FILE_BYTES} bytes.`);
  }
}
