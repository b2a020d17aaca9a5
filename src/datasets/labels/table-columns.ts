import { AppError } from '../../errors.js';
import type { Split } from '../../schemas/common.js';
import { nameSome } from './name-some.js';
import type { PathIndex } from './path-index.js';
import type { Table } from './read-table.js';
import { splitNamed } from './split-names.js';

/** What the columns of a table mean, by their places. */
export interface Columns {
  file: number;
  /** Absent where `oneHot` gives the labels. */
  label?: number;
  /** Columns of 0 and 1, one for each class. */
  oneHot?: { column: number; label: string }[];
  split?: number;
  /** What the sender says of values of that column. */
  splits?: Record<string, Split>;
  /** Whether a header or the sender says so: otherwise the labels are the only column that could hold some. */
  sure: boolean;
  /** Names of the columns that were used, and of those that were not. */
  used: string[];
  unused: string[];
}

/** What the sender says of columns: by name, or by place, the first is 1. */
export interface ColumnsWanted {
  text?: string | number;
  file?: string | number;
  label?: string | number;
  /** One-hot columns. */
  labels?: (string | number)[];
  split?: string | number;
}

/** What helps to find columns beside their names. */
export interface ColumnHints {
  wanted?: ColumnsWanted | undefined;
  /** What the sender says of values of the column of splits. */
  splits?: Record<string, Split> | undefined;
  /** Names of the folders of the archive: a column that holds nothing else holds classes. */
  folders?: ReadonlySet<string>;
}

/** Words for a column of labels, the surest first. Those of numbers come last: a name beside them is better. */
const LABEL_WORDS = words(
  'label labels class class_name classname label_name category category_name choice target breed species diagnosis dx ' +
    'variety type tag tags finding_labels disease condition emotion sentiment intent topic rating stars polarity genre language ' +
    'annotation y class_id classid label_id category_id ' +
    'class_index label_index',
);
const FILE_WORDS = words(
  'file_name filename file filepath file_path path image image_name imagename image_id imageid image_path image_file img ' +
    'img_name img_path id uri url gcs_uri image_index name',
);
const SPLIT_WORDS = words('split set subset fold is_valid ml_use partition usage is_test phase data_set dataset');

/** Cells of one-hot columns. */
const BIT = /^(0|1)(\.0+)?$/;
/** A measure, and no class: with a point in it. */
const MEASURE = /^-?\d*\.\d+(e-?\d+)?$/i;

/** Rows by which columns are found out. */
export const ROWS_LOOKED_AT = 500;

/**
 * Find out what the columns of a table mean.
 * @returns why there is no reading of it, as the end of a sentence
 * @throws AppError `no_labels` where the sender names a column that is not there, `ambiguous_layout` where several may hold
 * the labels
 */
export function findColumns(
  table: Table,
  index: PathIndex,
  { wanted = {}, splits, folders }: ColumnHints = {},
): Columns | { unusable: string } {
  const columns = namedColumns(table);
  const file = placeOf(table, wanted.file) ?? fileColumn(table, index, columns);
  if (file === undefined) return { unusable: 'no column of it names files of the archive' };
  const split = placeOf(table, wanted.split) ?? splitColumn(table, columns, file, splits);
  const rest = columns.filter((i) => i !== file && i !== split);
  const nameOf = (i: number) => table.header?.[i] ?? `column ${i + 1}`;
  const labelling = labelColumns(table, rest, wanted, folders);
  if ('unusable' in labelling) return labelling;
  const taken = new Set([file, ...(split === undefined ? [] : [split]), ...labelling.taken]);
  return {
    file,
    ...labelling.found,
    sure: labelling.sure,
    ...(split !== undefined && { split }),
    ...(splits && { splits }),
    used: [...taken].map(nameOf),
    unused: columns.filter((i) => !taken.has(i)).map(nameOf),
  };
}

/** Places of the columns. One without a name holds the row numbers of pandas, or nothing at all. */
export function namedColumns({ header, rows }: Table): number[] {
  const width = Math.max(header?.length ?? 0, ...sample(rows, ROWS_LOOKED_AT).map(({ cells }) => cells.length));
  return Array.from({ length: width }, (_, i) => i).filter((i) => !header || header[i]);
}

export function placeOf(table: Table, wanted: string | number | undefined): number | undefined {
  if (wanted === undefined) return undefined;
  const place =
    typeof wanted === 'number' ? wanted - 1 : (table.header ?? []).findIndex((name) => plain(name) === plain(wanted));
  const width = table.header?.length ?? table.rows[0]?.cells.length ?? 0;
  if (place >= 0 && place < width) return place;
  throw new AppError(
    'no_labels',
    `${table.name} has no column ${JSON.stringify(wanted)}. It has ${table.header ? table.header.filter(Boolean).join(', ') : `${width} columns and no header`}.`,
  );
}

/** Whether the header of a table says that it labels files, whether or not it does. */
export function promisesLabels({ header = [] }: Pick<Table, 'header'>): boolean {
  return (
    header.some((name) => rank(FILE_WORDS, name) !== undefined) &&
    header.some((name) => rank(LABEL_WORDS, name) !== undefined)
  );
}

/** Whether a column is called as one of splits is. */
export function promisesSplits(header: string): boolean {
  return rank(SPLIT_WORDS, header) !== undefined;
}

/** The column whose cells name the most files; a known header decides between equals. */
function fileColumn(table: Table, index: PathIndex, columns: number[]): number | undefined {
  const folder = table.name.split('/').slice(0, -1).join('/');
  const scoreOf = (rows: Table['rows'], column: number) => {
    const cells = rows.map(({ cells }) => cells[column] ?? '').filter((cell) => cell !== '');
    const found = cells.filter((cell) => typeof index.find(cell, folder) === 'object').length;
    const distinct = new Set(cells).size / Math.max(1, cells.length);
    const known = rank(FILE_WORDS, table.header?.[column]) !== undefined;
    // A class may be called as a file is: a name that files have is no name of a class only where it is not repeated.
    const share = found / Math.max(1, rows.length);
    return found > 0 && (known || (share > 0.3 && distinct > 0.5)) ? share * distinct + (known ? 0.5 : 0) : 0;
  };
  for (const rows of [sample(table.rows, ROWS_LOOKED_AT), table.rows]) {
    const scores = columns.map((column) => ({ column, score: scoreOf(rows, column) }));
    const best = scores.reduce((a, b) => (b.score > a.score ? b : a), { column: -1, score: 0 });
    if (best.score > 0) return best.column;
  }
  return undefined;
}

export function splitColumn(
  table: Table,
  columns: number[],
  file: number,
  given?: Record<string, Split>,
): number | undefined {
  const isSplit = (column: number) => {
    const cells = sample(table.rows, ROWS_LOOKED_AT).map(({ cells }) => cells[column] ?? '');
    const told = cells.filter((cell) => cell !== '');
    const known = told.filter((cell) => splitOf(table.header?.[column], cell, given) !== undefined);
    if (table.header) return known.length > 0 && rank(SPLIT_WORDS, table.header[column]) !== undefined;
    return told.length > 0 && known.length === told.length;
  };
  return columns.find((column) => column !== file && isSplit(column));
}

/** The split that a cell names, under the header of its column. @param given what the sender says of values */
export function splitOf(
  header: string | undefined,
  cell: string,
  given: Record<string, Split> = {},
): Split | undefined {
  if (Object.hasOwn(given, cell)) return given[cell];
  const word = plain(header ?? '');
  if (word === 'is_valid' || word === 'is_test') {
    const yes = word === 'is_valid' ? 'validation' : 'test';
    if (/^(true|1|1\.0|yes)$/i.test(cell)) return yes;
    return /^(false|0|0\.0|no)$/i.test(cell) ? 'train' : undefined;
  }
  return splitNamed(cell);
}

export type Labelling =
  | { found: Pick<Columns, 'label' | 'oneHot'>; taken: number[]; sure: boolean }
  | { unusable: string };

export function labelColumns(
  table: Table,
  rest: number[],
  wanted: ColumnsWanted,
  folders: ReadonlySet<string> = new Set(),
): Labelling {
  const oneHot = (columns: number[]): Labelling => ({
    found: { oneHot: columns.map((column) => ({ column, label: table.header?.[column] ?? `column ${column + 1}` })) },
    taken: columns,
    sure: true,
  });
  const single = (label: number, sure = true): Labelling => ({ found: { label }, taken: [label], sure });
  if (wanted.labels) return oneHot(wanted.labels.map((name) => placeOf(table, name)!));
  const told = placeOf(table, wanted.label);
  if (told !== undefined) return single(told);
  const known = rest
    .map((column) => ({ column, rank: rank(LABEL_WORDS, table.header?.[column]) }))
    .filter((found): found is { column: number; rank: number } => found.rank !== undefined)
    .sort((a, b) => a.rank - b.rank);
  if (known[0]) return single(known[0].column);
  const cells = (column: number) => table.rows.map(({ cells }) => cells[column] ?? '');
  const bits = rest.filter((column) => cells(column).every((cell) => BIT.test(cell)));
  if (bits.length > 1) return oneHot(bits);
  const classes = rest.filter((column) => mayBeLabels(cells(column)));
  if (classes.length === 1) return single(classes[0]!, false);
  const ofFolders = classes.filter((column) => cells(column).every((cell) => cell === '' || folders.has(cell)));
  if (ofFolders.length === 1) return single(ofFolders[0]!);
  if (classes.length === 0) return { unusable: 'no column of it holds labels' };
  const names = classes.map((column) => table.header?.[column] ?? `column ${column + 1}`);
  throw new AppError(
    'ambiguous_layout',
    `${table.name} has several columns that may hold the labels: ${nameSome(names)}. Say which, with the form field ` +
      `layout={"columns":{"label":${JSON.stringify(names[0])}}}.`,
    { details: { file: table.name, columns: names } },
  );
}

/** Labels come again and again, and are no measures. */
function mayBeLabels(cells: string[]): boolean {
  const told = cells.filter((cell) => cell !== '');
  if (told.length === 0 || told.every((cell) => MEASURE.test(cell) && !BIT.test(cell))) return false;
  const classes = new Set(told).size;
  return classes > 1 && classes <= Math.max(2, told.length / 2);
}

/** Spread over the rows. */
export function sample<T>(rows: T[], most: number): T[] {
  const step = Math.max(1, rows.length / most);
  return rows.length <= most ? rows : Array.from({ length: most }, (_, i) => rows[Math.floor(i * step)]!);
}

export function words(text: string): Map<string, number> {
  return new Map(text.split(' ').map((word, i) => [word, i]));
}

export function rank(known: Map<string, number>, header: string | undefined): number | undefined {
  return header === undefined ? undefined : known.get(plain(header));
}

/** A header as it is compared: `Image Index`, `imageIndex` and `image_index` are one. */
function plain(header: string): string {
  return header
    .trim()
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .replace(/[\s-]+/g, '_');
}
