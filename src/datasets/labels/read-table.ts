import { Readable } from 'node:stream';
import { CsvError, parse } from 'csv-parse';
import { decodeText } from '../../backbones/decode-text.js';
import { AppError } from '../../errors.js';

/** A table as its text has it. */
export interface Table {
  /** Its path in the archive. */
  name: string;
  /** Names of the columns; undefined: the first line is no header. An empty name: the column has none. */
  header?: string[];
  rows: TableRow[];
  /** Lines that could not be read. */
  faults: { line: number; reason: string }[];
  /** What a sender should know of how the text was read. */
  warnings: string[];
}

export interface TableRow {
  line: number;
  cells: string[];
}

/** What the sender says of a table; what is absent is found out. */
export interface TableFormat {
  header?: boolean;
  delimiter?: string;
  encoding?: string;
  /** Whether its cells are texts: then a line that begins with `#` is no comment, and a quote may stand alone. */
  texts?: boolean;
}

/** Piece in which CSV text is given to the parser, so that the event loop breathes in between. */
const PIECE = 64 * 1024;

/** Lines that decide about the delimiter. */
const LINES_LOOKED_AT = 20;

/**
 * Read CSV with any common delimiter, or JSON lines.
 * @param isFile whether a cell names a file: then the first line is no header
 * @throws AppError `no_labels` where the text as a whole cannot be read.
 */
export async function readTable(
  name: string,
  bytes: Buffer,
  isFile: (cell: string) => boolean,
  format: TableFormat = {},
): Promise<Table> {
  const { text, warnings } = decode(name, bytes, format.encoding);
  const table: Table = { name, rows: [], faults: [], warnings };
  if (isJsonLines(name, text)) await readLines(table, text);
  else if (format.texts && /^\s*\[/.test(text)) readArray(table, text);
  else if (format.texts && text.startsWith('__label__')) readFastText(table, text);
  else await readCsv(table, text, format);
  if (table.rows.length === 0 && table.faults.length === 0) throw new AppError('no_labels', `${name} is empty.`);
  if (table.header) return table;
  const [first, ...rest] = table.rows;
  if (!first || format.header === false || (format.header === undefined && first.cells.some(isFile))) return table;
  return { ...table, header: first.cells.map((cell) => cell.trim()), rows: rest };
}

function decode(name: string, bytes: Buffer, encoding?: string): { text: string; warnings: string[] } {
  if (encoding !== undefined) {
    try {
      return { text: new TextDecoder(encoding, { fatal: true }).decode(bytes), warnings: [] };
    } catch (error) {
      throw new AppError('no_labels', `${name} cannot be read as ${encoding}. Name its encoding in \`layout\`.`, {
        cause: error,
      });
    }
  }
  const { text, encoding: as } = decodeText(bytes);
  if (as !== 'windows-1252') return { text, warnings: [] };
  return {
    text,
    warnings: [
      `${name} is not UTF-8 and was read as Windows-1252. If its labels look wrong, save it as UTF-8, or name its encoding in the form field \`layout\`.`,
    ],
  };
}

function isJsonLines(name: string, text: string): boolean {
  return /\.(jsonl|ndjson)$/i.test(name) || (!/\.(csv|tsv)$/i.test(name) && /^\s*\{\s*"/.test(text));
}

async function readCsv(table: Table, text: string, format: TableFormat): Promise<void> {
  if (!format.texts) return parseCsv(table, text, format, '"');
  try {
    await parseCsv(table, text, format, '"');
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    table.rows = [];
    return parseCsv(table, text, format, null);
  }
  // An opening quote that nobody closes swallows lines up to the next one, delimiters and all.
  const swallowed = table.rows.some(({ cells }) => cells.some((cell) => /\n[^\n\t]*\t/.test(cell)));
  if (!swallowed || !text.slice(0, PIECE).includes('\t')) return;
  table.rows = [];
  return parseCsv(table, text, format, null);
}

/** JSON objects in a list. */
function readArray(table: Table, text: string): void {
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch (error) {
    throw new AppError('no_labels', `${table.name} is no valid JSON: ${(error as Error).message}.`, { cause: error });
  }
  const columns = new Map<string, number>();
  for (const [i, value] of (list as unknown[]).entries()) takeObject(table, columns, { line: i + 1, value });
  table.header = [...columns.keys()];
}

/** fastText's form: labels with a mark before them, then the text. */
function readFastText(table: Table, text: string): void {
  table.header = ['label', 'text'];
  for (const [i, line] of text.split(/\r\n|\r|\n/).entries()) {
    if (line.trim() === '') continue;
    const [marks] = /^(__label__\S+[\s,]*)+/.exec(line) ?? [''];
    const labels = marks.split(/[\s,]+/).flatMap((mark) => mark.slice('__label__'.length) || []);
    if (labels.length === 0) table.faults.push({ line: i + 1, reason: 'it does not begin with __label__.' });
    else table.rows.push({ line: i + 1, cells: [labels.join('|'), line.slice(marks.length).trim()] });
  }
}

async function parseCsv(
  table: Table,
  text: string,
  { delimiter, texts }: TableFormat,
  quote: '"' | null,
): Promise<void> {
  const { name } = table;
  const told = /^sep=(.)\r?\n/i.exec(text); // a line of Excel's
  const body = told ? text.slice(told[0].length) : text;
  const parser = parse({
    delimiter: delimiter ?? told?.[1] ?? delimiterOf(name, body),
    ...(!texts && { comment: '#', comment_no_infix: true }),
    quote,
    info: true,
    relax_column_count: true,
    skip_empty_lines: true,
    trim: true,
    max_record_size: 1024 * 1024,
  });
  const before = told ? 1 : 0;
  try {
    for await (const { record, info } of Readable.from(pieces(body)).pipe(parser)) {
      table.rows.push({ line: info.lines + before, cells: record });
    }
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw new AppError('no_labels', `${name} is no valid CSV: ${error.message}.`, { cause: error });
  }
}

/** The delimiter that divides the first lines into equally many parts, two at least. */
function delimiterOf(name: string, text: string): string {
  const lines = text
    .slice(0, PIECE)
    .split(/\r\n|\r|\n/)
    .filter((line) => line.trim() !== '' && !line.startsWith('#'))
    .slice(0, LINES_LOOKED_AT);
  const candidates = /\.txt$/i.test(name) ? [',', ';', '\t', '|', ' '] : [',', ';', '\t', '|'];
  const header = lines[0] ?? '';
  const counts = candidates.map((candidate) => lines.map((line) => line.split(candidate).length - 1));
  const even = candidates.find((_, i) => counts[i]![0]! > 0 && counts[i]!.every((count) => count === counts[i]![0]));
  // Quoted fields hold delimiters of their own: then the first line decides.
  return even ?? candidates.find((candidate) => candidate !== ' ' && header.includes(candidate)) ?? ',';
}

function* pieces(text: string): Generator<string> {
  for (let start = 0; start < text.length; start += PIECE) yield text.slice(start, start + PIECE);
}

/** JSON objects, a line each. Their keys are the columns. */
async function readLines(table: Table, text: string): Promise<void> {
  const columns = new Map<string, number>();
  let line = 0;
  for (let start = 0; start < text.length; ) {
    const end = text.indexOf('\n', start);
    const source = text.slice(start, end === -1 ? undefined : end).trim();
    start = end === -1 ? text.length : end + 1;
    line += 1;
    if (source !== '') readObject(table, columns, { line, source });
    if (line % 10_000 === 0) await new Promise(setImmediate);
  }
  table.header = [...columns.keys()];
}

function readObject(table: Table, columns: Map<string, number>, { line, source }: { line: number; source: string }) {
  let value: unknown;
  try {
    value = JSON.parse(source);
  } catch {
    table.faults.push({ line, reason: 'it is not JSON.' });
    return;
  }
  takeObject(table, columns, { line, value });
}

function takeObject(table: Table, columns: Map<string, number>, { line, value }: { line: number; value: unknown }) {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    table.faults.push({ line, reason: 'it is no JSON object.' });
    return;
  }
  const cells: string[] = [];
  for (const [key, field] of Object.entries(value)) {
    if (!columns.has(key)) columns.set(key, columns.size);
    cells[columns.get(key)!] = textOf(field);
  }
  table.rows.push({ line, cells: Array.from(cells, (cell) => cell ?? '') });
}

/** Hugging Face writes class numbers as JSON numbers; several labels come as a list. */
function textOf(field: unknown): string {
  if (typeof field === 'string') return field.trim();
  if (typeof field === 'number' || typeof field === 'boolean') return String(field);
  return Array.isArray(field) ? field.map(textOf).join('|') : '';
}
