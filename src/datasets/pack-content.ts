import { AppError } from '../errors.js';
import type { Example, LayoutWanted, RefusedFile } from '../schemas/datasets.js';
import type { ArchiveEntry, Refusal } from './archives/archive.js';
import type { CodePage } from './archives/code-page.js';
import {
  type DatasetModality,
  type Examined,
  type ExamineOptions,
  examineEntry,
  inspectContent,
  mostTableBytes,
} from './examine-entry.js';
import { normalise, type Place } from './labels/label.js';
import type { TableFile } from './labels/contract.js';
import { rivalFiles } from './labels/listed-labels.js';
import { readTextTables, type TextTables } from './labels/text-tables.js';
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
  /** Where the examples are rows of tables: how these were understood, and the label and split of each of `files`. */
  rows?: Omit<TextTables, 'rows' | 'refused'> & { places: (Place | Refusal)[] };
}

export interface PackOptions extends ExamineOptions {
  /** What the sender says of tables. */
  wanted?: LayoutWanted | undefined;
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
    { concurrency, maxWeight: MEMORY_BYTES, weigh: (entry) => weightOf(entry, modality) },
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
      note(found, findings, mostTableBytes(modality));
      continue;
    }
    if (take(found, findings, offsets)) yield found.bytes;
  }
  if (modality.ofCell && mayHoldRows(findings)) yield* packRows(findings, { ...options, ofCell: modality.ofCell });
}

/** A few files in one folder beside tables: a licence, a description. They are no examples where the tables' rows are. */
const MAX_BESIDE = 20;

/** Whether the rows of the tables may be the examples: other files are few, lie in no folders of classes, and are not listed. */
function mayHoldRows({ files, tables }: ArchiveFindings): boolean {
  if (tables.length === 0 || files.length > MAX_BESIDE) return false;
  const folders = new Set(files.map(({ name }) => name.split('/').slice(0, -1).join('/')));
  const listed = (name: string) => tables.some(({ bytes }) => bytes.includes(name.split('/').at(-1)!));
  return folders.size < 2 && !files.some(({ name }) => listed(name));
}

/**
 * The rows of tables as examples; the files found before are then refused. Tables without labelled texts leave everything as
 * it is, unless there is nothing else.
 * @throws AppError `no_labels`, `ambiguous_layout`
 */
async function* packRows(
  findings: ArchiveFindings,
  { wanted, modality, ofCell }: PackOptions & { ofCell: (cell: string) => Uint8Array },
): AsyncGenerator<Buffer> {
  let found: TextTables;
  try {
    found = await readTextTables(findings.tables, wanted);
  } catch (error) {
    if (error instanceof AppError && findings.files.length > 0) return;
    throw error;
  }
  const { rows, refused, ...rest } = found;
  const { one, many } = modality.words;
  const reason = `It is no row of a table, and the ${many} were taken from ${rest.tables.join(', ')}: a ${one} of its own needs a folder of its class.`;
  findings.refused.push(...refused, ...findings.files.map(({ name }) => ({ name, code: 'not_used', reason })));
  findings.files = [];
  const places: (Place | Refusal)[] = [];
  const offsets = new Map<string, number>();
  let pieces: Buffer[] = [];
  for (const { name, text, place } of rows) {
    const found = await inspectContent(name, Buffer.from(ofCell(text)), modality);
    if (found.kind === 'refused') {
      findings.refused.push({ name, ...found.refusal });
      continue;
    }
    places.push(place);
    if (take(found, findings, offsets)) pieces.push(found.bytes);
    // A chunk per text would cost more than the texts, and the event loop must breathe.
    if (pieces.length < 1000) continue;
    yield Buffer.concat(pieces);
    pieces = [];
  }
  if (pieces.length > 0) yield Buffer.concat(pieces);
  findings.rows = { ...rest, places };
}

/** Add content to what was found. @returns whether its bytes are new to the pack */
function take(
  { name, sha256, bytes, facts }: Extract<Examined, { kind: 'content' }>,
  findings: ArchiveFindings,
  offsets: Map<string, number>,
): boolean {
  const known = offsets.get(sha256);
  const offset = known ?? findings.packBytes;
  const some = Object.keys(facts).length > 0 && { facts };
  findings.files.push({ sha256, name, offset, bytes: bytes.length, ...some });
  if (known !== undefined) return false;
  offsets.set(sha256, offset);
  findings.packBytes += bytes.length;
  return true;
}

/** An entry too large to be taken is never read, and takes no memory. */
function weightOf(entry: ArchiveEntry, modality: DatasetModality): number {
  return entry.bytes > Math.max(modality.maxBytes, mostTableBytes(modality)) ? 0 : entry.memory;
}

function note(found: Exclude<Examined, { kind: 'content' }>, findings: ArchiveFindings, mostBytes: number): void {
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
  if (tables.reduce((sum, table) => sum + table.bytes.length, 0) <= mostBytes) return;
  if (canonical) throw new AppError('too_large', `The labels files together are larger than ${mostBytes} bytes.`);
  tables.pop();
  refused.push({ name, ...otherwise });
}
