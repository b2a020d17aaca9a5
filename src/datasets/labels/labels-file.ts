import { Readable } from 'node:stream';
import { CsvError, parse } from 'csv-parse';
import { AppError } from '../../errors.js';
import type { Split } from '../../schemas/common.js';
import type { RefusedFile } from '../../schemas/datasets.js';
import type { Refusal } from '../archives/archive.js';
import { entryName } from '../archives/entry-name.js';
import type { Place } from './class-folders.js';
import { labelFault, normalise } from './label.js';
import { splitNamed } from './split-names.js';

/** A labels file that was read: `rows` is keyed by path inside the archive, in Unicode form NFC. */
export interface LabelsFile {
  /** Path of the labels file itself. */
  name: string;
  rows: Map<string, (Place & { line: number }) | Refusal>;
  /** Rows that name no file. */
  refused: RefusedFile[];
}

interface Row {
  line: number;
  fields: Map<string, unknown>;
}

/** Piece in which CSV text is given to the parser, so that the event loop breathes in between. */
const PIECE = 64 * 1024;

/**
 * Read `labels.csv`, `metadata.csv` or `metadata.jsonl`: `file_name` (relative to the file's own folder), `label`, and,
 * if there is one, `split`. A row with a fault refuses its file, or itself if it names none; the others go on.
 * @throws AppError `no_labels` where the file as a whole cannot be read.
 */
export async function readLabelsFile(name: string, bytes: Buffer): Promise<LabelsFile> {
  const text = decode(name, bytes);
  const file: LabelsFile = { name, rows: new Map(), refused: [] };
  for await (const row of name.toLowerCase().endsWith('.jsonl') ? jsonRows(name, text) : csvRows(name, text)) {
    const problem = takeRow(file, row);
    if (problem) file.refused.push({ name, code: 'bad_row', reason: `Line ${row.line}: ${problem}` });
  }
  return file;
}

/** @returns what is wrong with a row that cannot be tied to a file. */
function takeRow({ name, rows }: LabelsFile, { line, fields }: Row): string | undefined {
  const problem = fields.get('');
  if (problem !== undefined) return String(problem);
  const fileName = fields.get('file_name');
  if (typeof fileName !== 'string' || fileName.trim() === '') return 'it has no file_name.';
  let key: string;
  try {
    key = normalise(entryName([...name.split('/').slice(0, -1), entryName(fileName)].join('/')));
  } catch {
    return `its file_name ${JSON.stringify(fileName)} leads out of the folder.`;
  }
  const place = readPlace(fields);
  const found = 'code' in place ? { ...place, reason: `${name}, line ${line}: ${place.reason}` } : { ...place, line };
  const known = rows.get(key);
  if (known === undefined) {
    rows.set(key, found);
    return undefined;
  }
  if ('label' in known && 'label' in found && (known.label !== found.label || known.split !== found.split)) {
    return `${fileName} is listed again with another label or split than in line ${known.line}, which counts.`;
  }
  return undefined;
}

function readPlace(fields: Map<string, unknown>): Place | Refusal {
  const raw = fields.get('label');
  // Hugging Face writes class numbers as JSON numbers.
  if (typeof raw !== 'string' && !Number.isFinite(raw)) return { code: 'bad_row', reason: 'Its row has no label.' };
  const label = normalise(String(raw));
  const fault = labelFault(label);
  if (fault) return fault;
  const word = fields.get('split') ?? '';
  if (word === '') return { label };
  const split: Split | undefined = typeof word === 'string' ? splitNamed(word.trim()) : undefined;
  if (split) return { label, split };
  return { code: 'bad_row', reason: `${JSON.stringify(word)} is no split; use train, validation or test.` };
}

function decode(name: string, bytes: Buffer): string {
  try {
    // Drops the byte order mark that Excel writes.
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new AppError('no_labels', `${name} is not UTF-8 text. Save it as UTF-8.`, { cause: error });
  }
}

async function* csvRows(name: string, text: string): AsyncGenerator<Row> {
  const header = text.slice(0, text.search(/[\r\n]|$/));
  // Excel writes semicolons where the comma is the decimal point.
  const delimiter = [',', ';', '\t'].find((candidate) => header.includes(candidate)) ?? ',';
  const parser = parse({
    delimiter,
    info: true,
    relax_column_count: true,
    skip_empty_lines: true,
    trim: true,
    max_record_size: 1024 * 1024,
  });
  let columns: string[] | undefined;
  try {
    for await (const { record, info } of Readable.from(pieces(text)).pipe(parser)) {
      if (columns === undefined) columns = checkColumns(name, record);
      else yield { line: info.lines, fields: new Map(columns.map((column, i) => [column, record[i]])) };
    }
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw new AppError('no_labels', `${name} is no valid CSV: ${error.message}.`, { cause: error });
  }
  if (columns === undefined) throw new AppError('no_labels', `${name} is empty.`);
}

function* pieces(text: string): Generator<string> {
  for (let start = 0; start < text.length; start += PIECE) yield text.slice(start, start + PIECE);
}

function checkColumns(name: string, record: string[]): string[] {
  const columns = record.map((column) => column.toLowerCase());
  if (columns.includes('file_name') && columns.includes('label')) return columns;
  throw new AppError(
    'no_labels',
    `${name} needs the columns file_name and label in its first line; it has ${record.join(', ')}.`,
    { details: { file: name, columns: record } },
  );
}

async function* jsonRows(name: string, text: string): AsyncGenerator<Row> {
  let line = 0;
  for (let start = 0; start < text.length; ) {
    const end = text.indexOf('\n', start);
    const source = text.slice(start, end === -1 ? undefined : end).trim();
    start = end === -1 ? text.length : end + 1;
    line += 1;
    if (source !== '') yield { line, fields: jsonFields(source) };
    if (line % 10_000 === 0) await new Promise(setImmediate);
  }
  if (line === 0) throw new AppError('no_labels', `${name} is empty.`);
}

/** The fields of a line; under the empty key, why there are none. */
function jsonFields(source: string): Map<string, unknown> {
  try {
    const value: unknown = JSON.parse(source);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return new Map(Object.entries(value));
    return new Map([['', 'it is no JSON object.']]);
  } catch {
    return new Map([['', 'it is not JSON.']]);
  }
}
