import { AppError } from '../../errors.js';
import type { Split } from '../../schemas/common.js';
import type { DatasetLayout, LayoutWanted, RefusedFile } from '../../schemas/datasets.js';
import type { Refusal } from '../archives/archive.js';
import type { TableFile } from './contract.js';
import { normalise, type Place } from './label.js';
import { badRow, placesOf } from './labels-file.js';
import { nameSome } from './name-some.js';
import { readTable, type Table } from './read-table.js';
import { splitNamed, splitOfFile } from './split-names.js';
import {
  labelColumns,
  namedColumns,
  placeOf,
  rank,
  ROWS_LOOKED_AT,
  sample,
  splitColumn,
  words,
} from './table-columns.js';

/** A row of a table, as an example. */
export interface TextRow {
  /** `reviews.csv:12` */
  name: string;
  text: string;
  place: Place | Refusal;
}

export interface TextTables {
  layout: DatasetLayout;
  rows: TextRow[];
  /** Lines that are no example. */
  refused: RefusedFile[];
  warnings: string[];
  /** Paths of the tables that were used. */
  tables: string[];
}

/** Words for a column of texts, the surest first. */
const TEXT_WORDS = words(
  'text sentence review review_text content comment comment_text question query utterance message msg sms tweet body post ' +
    'document doc description abstract article news phrase input prompt title headline subject string statement response ' +
    'reviews sentences comments messages',
);
/** Longer than any label, or a sentence. */
const isLong = (cell: string) => cell.length > 60 || cell.split(/\s+/).length > 6;
/** A column of names of files holds no texts. */
const FILE_NAME = /^[^\s]+\.(jpe?g|png|gif|webp|bmp|tiff?|wav|mp3|mp4|txt)$/i;

interface Columns {
  text: number;
  labelling: Extract<ReturnType<typeof labelColumns>, { found: unknown }>;
  split: number | undefined;
}

/**
 * Tables whose rows are texts with labels.
 * @param files those of the archive that may be tables
 * @throws AppError `no_labels` where the sender names a table or column that is not there, or no table has both texts and
 *   labels; `ambiguous_layout` where several columns may hold the labels
 */
export async function readTextTables(files: TableFile[], wanted: LayoutWanted = {}): Promise<TextTables> {
  const chosen = wanted.table === undefined ? files : files.filter(({ name }) => name === wanted.table);
  const read: { table: Table; columns: Columns }[] = [];
  const unusable: AppError[] = [];
  for (const file of chosen) {
    try {
      const table = await readTexts(file, wanted);
      read.push({ table, columns: columnsOf(table, wanted) });
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      unusable.push(error);
    }
  }
  // What a header says goes before what only may be so.
  const sure = read.filter(({ table, columns }) => isSure(table, columns));
  const found = sure.length > 0 ? sure : read;
  const left = read.filter((one) => !found.includes(one)).map(({ table }) => table.name);
  if (found.length === 0)
    throw unusable.find(({ code }) => code === 'ambiguous_layout') ?? unusable[0] ?? noTable(files, wanted);
  const parts = splitsOf(found.map(({ table }) => table));
  const taken = found.map(({ table, columns }, i) => rowsOf(table, columns, { wanted, split: parts?.[i] }));
  const names = found.map(({ table }) => table.name);
  const named = found.map(({ table, columns }) => namesOf(table, columns));
  const splitFrom = splitSource(found, parts);
  return {
    layout: {
      kind: 'text_table',
      root: '',
      labels_file: names.join(', '),
      columns_used: [...new Set(named.flatMap(({ used }) => used))],
      columns_unused: [...new Set(named.flatMap(({ unused }) => unused))],
      ...(splitFrom !== undefined && { split_from: splitFrom }),
    },
    rows: taken.flatMap(({ rows }) => rows),
    refused: taken.flatMap(({ refused }) => refused),
    warnings: [
      ...found.flatMap(({ table }) => table.warnings),
      ...found.flatMap(({ table, columns }) => guessWarnings(table, columns)),
      ...unusable.map(({ message }) => message),
      ...(left.length > 0 ? [`Tables that were not used: ${nameSome(left)}.`] : []),
    ],
    tables: names,
  };
}

async function readTexts({ name, bytes }: TableFile, wanted: LayoutWanted): Promise<Table> {
  const table = await readTable(name, bytes, () => false, { ...wanted, texts: true });
  if (!table.header || wanted.header !== undefined || isHeader(table.header, table.rows)) return table;
  // The first line is a row like all others.
  const first = { line: (table.rows[0]?.line ?? 2) - 1, cells: table.header };
  const { header: _, ...rest } = table;
  return { ...rest, rows: [first, ...table.rows] };
}

/** The first line names columns unless it is as long as texts are, or a word of it is said again below. */
function isHeader(first: string[], rows: Table['rows']): boolean {
  if (first.some(isLong)) return false;
  if (first.some((cell) => rank(TEXT_WORDS, cell) !== undefined)) return true;
  const below = sample(rows, ROWS_LOOKED_AT);
  return !first.some((cell, column) => cell !== '' && below.some(({ cells }) => cells[column] === cell));
}

function columnsOf(table: Table, { columns: wanted = {}, splits }: LayoutWanted): Columns {
  const columns = namedColumns(table);
  const text = placeOf(table, wanted.text) ?? textColumn(table, columns);
  if (text === undefined) throw unusable(table, 'no column of it holds texts');
  const split = placeOf(table, wanted.split) ?? splitColumn(table, columns, text, splits);
  const rest = columns.filter((i) => i !== text && i !== split && !isCount(table, i));
  const labelling = labelColumns(table, rest, wanted);
  if ('unusable' in labelling) throw unusable(table, labelling.unusable);
  return { text, labelling, split };
}

function unusable(table: Table, why: string): AppError {
  const has = table.header ? ` Its columns are ${table.header.filter(Boolean).join(', ')}.` : '';
  return new AppError(
    'no_labels',
    `${table.name} gives no labelled texts: ${why}.${has} Say which they are, with the form field layout={"columns":{"text":1,"label":2}}.`,
  );
}

/** The column of the best known name; else the one of the longest cells, if they are no names of files. */
function textColumn(table: Table, columns: number[]): number | undefined {
  const rows = sample(table.rows, ROWS_LOOKED_AT);
  const cellsOf = (column: number) => rows.map(({ cells }) => cells[column] ?? '').filter((cell) => cell !== '');
  const texts = columns.filter((column) => {
    const cells = cellsOf(column);
    return cells.length > 0 && cells.filter((cell) => FILE_NAME.test(cell)).length < cells.length / 2;
  });
  const [known] = texts
    .map((column) => ({ column, rank: rank(TEXT_WORDS, table.header?.[column]) }))
    .filter((found): found is { column: number; rank: number } => found.rank !== undefined)
    .sort((a, b) => a.rank - b.rank);
  if (known) return known.column;
  const mean = (column: number) => {
    const cells = cellsOf(column);
    return cells.reduce((sum, { length }) => sum + length, 0) / Math.max(1, cells.length);
  };
  const [longest] = texts
    .filter((column) => cellsOf(column).some((cell) => /\p{L}\S*\s+\S*\p{L}/u.test(cell)))
    .sort((a, b) => mean(b) - mean(a));
  return longest;
}

/** Whether a column counts its rows: 0, 1, 2, … */
function isCount({ rows }: Table, column: number): boolean {
  const numbers = rows.slice(0, ROWS_LOOKED_AT).map(({ cells }) => Number(cells[column] || Number.NaN));
  return numbers.length > 2 && numbers.every((value, i) => i === 0 || value === numbers[i - 1]! + 1);
}

function namesOf({ header, rows }: Table, { text, labelling, split }: Columns): { used: string[]; unused: string[] } {
  const width = Math.max(header?.length ?? 0, rows[0]?.cells.length ?? 0);
  const taken = new Set([text, ...labelling.taken, ...(split === undefined ? [] : [split])]);
  const nameOf = columnNames(header);
  const rest = Array.from({ length: width }, (_, i) => i).filter((i) => !taken.has(i));
  return { used: [...taken].map(nameOf), unused: rest.map(nameOf) };
}

/** What columns are called, by their places. */
function columnNames(header: string[] | undefined): (column: number) => string {
  return (column) => header?.[column] || `column ${column + 1}`;
}

/** Whether the header says which column is which. */
function isSure({ header }: Table, { text, labelling }: Columns): boolean {
  return labelling.sure && rank(TEXT_WORDS, header?.[text]) !== undefined;
}

/** What was taken where no header says it. */
function guessWarnings(table: Table, columns: Columns): string[] {
  const { text, labelling } = columns;
  if (isSure(table, columns)) return [];
  const nameOf = columnNames(table.header);
  const labels = nameSome(labelling.taken.map(nameOf));
  return [
    `${table.name}: the texts were taken from ${nameOf(text)}, the labels from ${labels}. If that is wrong, send the form field layout={"columns":{"text":…,"label":…}}.`,
  ];
}

/** The split that each of several tables is, by its name or folder; undefined where one has none. */
function splitsOf(tables: Table[]): Split[] | undefined {
  if (tables.length < 2) return undefined;
  const splits = tables.map(({ name }) => splitNamed(name.split('/').at(-2) ?? '') ?? splitOfFile(name));
  return splits.every((split) => split !== undefined) ? splits : undefined;
}

function splitSource(found: { table: Table; columns: Columns }[], parts: Split[] | undefined): string | undefined {
  const [first] = found.filter(({ columns }) => columns.split !== undefined);
  const names = nameSome(found.map(({ table }) => table.name));
  if (first) return `the column ${first.table.header?.[first.columns.split!] ?? first.columns.split! + 1} of ${names}`;
  return parts ? `the names of ${names}` : undefined;
}

function rowsOf(
  table: Table,
  columns: Columns,
  { wanted, split }: { wanted: LayoutWanted; split: Split | undefined },
): Pick<TextTables, 'rows' | 'refused'> {
  const { name, header } = table;
  /** By the name that the example would have. */
  const refusal = (line: number, reason: string) => ({ ...badRow(name, line, reason), name: `${name}:${line}` });
  const refused = table.faults.map(({ line, reason }) => refusal(line, reason));
  const rows: TextRow[] = [];
  const { label, oneHot } = columns.labelling.found;
  const placeOfRow = placesOf(table, {
    ...(label !== undefined && { label }),
    ...(oneHot && { oneHot }),
    ...(columns.split !== undefined && { split: columns.split }),
    ...(wanted.splits && { splits: wanted.splits }),
  });
  for (const row of table.rows) {
    const { line, cells } = row;
    const text = normalise(cells[columns.text] ?? '').trim();
    if (header && cells.slice(header.length).some((cell) => cell !== '')) {
      const reason = `it has ${cells.length} cells, and the header ${header.length}. Quote texts that hold a delimiter.`;
      refused.push(refusal(line, reason));
    } else if (text === '') refused.push(refusal(line, 'its text is empty.'));
    else {
      const place = placeOfRow(row);
      rows.push({ name: `${name}:${line}`, text, place: 'label' in place && split ? { split, ...place } : place });
    }
  }
  return { rows, refused };
}

function noTable(files: TableFile[], { table }: LayoutWanted): AppError {
  const has = files.map(({ name }) => name).join(', ');
  return new AppError(
    'no_labels',
    `There is no table${table === undefined ? '' : ` ${table}`}. There is ${has || 'none at all'}.`,
  );
}
