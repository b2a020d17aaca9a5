import type { Modality } from '../../backbones/modality.js';
import { AppError } from '../../errors.js';
import type { Split } from '../../schemas/common.js';
import type { RefusedFile } from '../../schemas/datasets.js';
import type { Refusal } from '../archives/archive.js';
import { normalise, type Place } from './label.js';
import type { LabelsFile } from './labels-file.js';
import { nameSome } from './name-some.js';
import { splitDepth, splitNamed, splitOfFile } from './split-names.js';

export interface ListedLayout {
  root: string;
  /** Paths of the tables that decided. */
  tables: string[];
  places: (Place | Refusal)[];
  refused: RefusedFile[];
  warnings: string[];
  columns: Pick<LabelsFile['columns'], 'used' | 'unused'>;
  /** What names the splits; undefined: nothing does. */
  splitFrom: string | undefined;
}

export interface ListedInput {
  /** Paths of the files that were taken. */
  names: string[];
  files: (LabelsFile & { canonical: boolean })[];
  words: Modality['words'];
}

/**
 * Take labels from tables: one, or several of which each has its own files.
 * The split of a file is its row's; else that of its table, by the table's folder or name; else that of the split folder it is in.
 * @throws AppError `ambiguous_layout` where it is not clear which table decides.
 */
export function readListedLabels({ names, files: found, words }: ListedInput): ListedLayout {
  const paths = names.map(normalise);
  const { files, warnings } = chooseFiles(found);
  const rows: LabelsFile['rows'] = new Map(files.flatMap((file) => [...file.rows]));
  const folderSplit = files.length === 1 && !hasSplits(rows) ? splitOfFolders(paths, rows) : undefined;
  const fileSplits = splitsOfFiles(files);
  const places = paths.map((path): Place | Refusal => {
    const row = rows.get(path);
    if (row === undefined) return notListed(files);
    if ('code' in row) return row;
    const split = row.split ?? fileSplits.get(path) ?? folderSplit?.(path);
    return { label: row.label, ...(split && { split }) };
  });
  const first = folders(files[0]!.name);
  const unlisted = paths.filter((path) => !rows.has(path));
  return {
    root: (files.length > 1 ? commonFolder(files) : first).join('/'),
    tables: files.map(({ name }) => name),
    places: refuseWithoutSplit(places),
    refused: files.flatMap(({ refused }) => refused),
    warnings: [...warnings, ...files.flatMap((file) => file.warnings), ...unlistedWarning(unlisted, files, words)],
    splitFrom: splitSource(files, { rows, fileSplits, folderSplit: folderSplit !== undefined }),
    columns: {
      used: [...new Set(files.flatMap(({ columns }) => columns.used))],
      unused: [...new Set(files.flatMap(({ columns }) => columns.unused))],
    },
  };
}

/** What names the splits, in words. */
function splitSource(
  files: LabelsFile[],
  found: { rows: LabelsFile['rows']; fileSplits: Map<string, Split | undefined>; folderSplit: boolean },
): string | undefined {
  const names = nameSome(files.map(({ name }) => name));
  const column = files.find(({ splitColumn }) => splitColumn !== undefined)?.splitColumn;
  if (column !== undefined && hasSplits(found.rows)) return `the column ${column} of ${names}`;
  if ([...found.fileSplits.values()].some(Boolean)) return `the places or names of ${names}`;
  return found.folderSplit ? 'the folders of the files' : undefined;
}

/** Tables whose names are known count before others; of those that are left, none may speak of another one's files. */
function chooseFiles(found: ListedInput['files']): { files: LabelsFile[]; warnings: string[] } {
  const canonical = found.filter((file) => file.canonical);
  const sure = found.filter(({ columns }) => columns.sure);
  const files = canonical.length > 0 ? canonical : sure.length > 0 ? sure : found;
  const others = found.filter((file) => !files.includes(file)).map(({ name }) => name);
  const known = new Set<string>();
  for (const { rows } of files) {
    for (const path of rows.keys()) {
      if (known.has(path)) throw rivalFiles(files.map(({ name }) => name));
      known.add(path);
    }
  }
  const warnings = others.length === 0 ? [] : [`Tables that were not used: ${nameSome(others)}.`];
  return { files, warnings };
}

export function rivalFiles(names: string[]): AppError {
  return new AppError(
    'ambiguous_layout',
    `It is not clear which of ${nameSome(names)} decides. Keep one, or one in each of the folders train, validation and ` +
      `test, or name one in the form field layout={"table":${JSON.stringify(names[0])}}.`,
    { details: { files: names.slice(0, 1000) } },
  );
}

/** The split of each listed path by its table. A lone table counts only where its folder is for training. */
function splitsOfFiles(files: LabelsFile[]): Map<string, Split | undefined> {
  const splits = new Map<string, Split | undefined>();
  for (const file of files) {
    const split =
      splitNamed(folders(file.name).at(-1) ?? '') ?? (files.length > 1 ? splitOfFile(file.name) : undefined);
    if (files.length === 1 && split !== 'train') continue;
    for (const path of file.rows.keys()) splits.set(path, split);
  }
  return splits;
}

function commonFolder(files: LabelsFile[]): string[] {
  const [first, ...rest] = files.map(({ name }) => folders(name));
  let length = 0;
  while (length < first!.length && rest.every((path) => path[length] === first![length])) length += 1;
  return first!.slice(0, length);
}

function hasSplits(rows: LabelsFile['rows']): boolean {
  return [...rows.values()].some((row) => 'split' in row && row.split !== undefined);
}

/** Where the listed files all lie in folders named after splits: which one a path is in. */
function splitOfFolders(paths: string[], rows: LabelsFile['rows']) {
  const listed = paths.filter((path) => rows.has(path)).map(folders);
  const depth = splitDepth(listed, 0);
  const inside = depth !== undefined && listed.every((path) => path.length > depth);
  return inside ? (path: string) => splitNamed(folders(path)[depth]!) : undefined;
}

/** If some files have a split, all must: one without would be guessed into training or left out in silence. */
function refuseWithoutSplit(places: (Place | Refusal)[]): (Place | Refusal)[] {
  if (!places.some((place) => 'split' in place)) return places;
  return places.map((place) =>
    'code' in place || place.split ? place : { code: 'no_split', reason: 'Its row names no split, while others do.' },
  );
}

function notListed(files: LabelsFile[]): Refusal {
  return { code: 'not_listed', reason: `${nameSome(files.map(({ name }) => name))} does not list it.` };
}

/** What a table does not list is left out, and that may be a mistake. */
function unlistedWarning(unlisted: string[], files: LabelsFile[], { one, many }: Modality['words']): string[] {
  if (unlisted.length === 0) return [];
  const [count, are] = unlisted.length === 1 ? [`1 ${one}`, 'is'] : [`${unlisted.length} ${many}`, 'are'];
  return [
    `${count} without a label ${are} left out: ${nameSome(files.map(({ name }) => name))} does not list ${nameSome(unlisted)}.`,
  ];
}

function folders(path: string): string[] {
  return path.split('/').slice(0, -1);
}
