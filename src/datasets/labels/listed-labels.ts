import type { Modality } from '../../backbones/modality.js';
import { AppError } from '../../errors.js';
import type { Split } from '../../schemas/common.js';
import type { RefusedFile } from '../../schemas/datasets.js';
import type { Refusal } from '../archives/archive.js';
import type { Place } from './class-folders.js';
import { normalise } from './label.js';
import type { LabelsFile } from './labels-file.js';
import { nameSome } from './name-some.js';
import { splitDepth, splitNamed } from './split-names.js';

export interface ListedLayout {
  root: string;
  labelsFile: string;
  places: (Place | Refusal)[];
  refused: RefusedFile[];
  warnings: string[];
}

export interface ListedInput {
  /** Paths of the files that were taken. */
  names: string[];
  files: LabelsFile[];
  /** Whether the archive has an entry of this path (NFC), taken or not. */
  has: (path: string) => boolean;
  words: Modality['words'];
}

/**
 * Take labels from labels files: one, or one in each split folder.
 * The split of a file is its row's; else that of the folder of its labels file; else that of the split folder it is in.
 * @throws AppError `ambiguous_layout` where it is not clear which file decides; `no_labels` where none lists one of the files.
 */
export function readListedLabels({ names, files, has, words }: ListedInput): ListedLayout {
  refuseRivals(files);
  const rows: LabelsFile['rows'] = new Map(files.flatMap((file) => [...file.rows]));
  const paths = names.map(normalise);
  const folderSplit = files.length === 1 && !hasSplits(rows) ? splitOfFolders(paths, rows) : undefined;
  const fileSplits = splitsOfFiles(files);
  const places = paths.map((path): Place | Refusal => {
    const row = rows.get(path);
    if (row === undefined) return notListed(files);
    if ('code' in row) return row;
    const split = row.split ?? fileSplits.get(path) ?? folderSplit?.(path);
    return { label: row.label, ...(split && { split }) };
  });
  if (!places.some((place) => 'label' in place)) {
    throw new AppError(
      'no_labels',
      `${nameSome(files.map(({ name }) => name))} gives no ${words.one} of the archive a label; file_name must be its path ` +
        `relative to the folder of that file. It names ${shownPath([...rows.keys()][0])}; the archive has ${shownPath(paths[0])}.`,
      { details: { refused: files.flatMap(({ refused }) => refused).slice(0, 1000) } },
    );
  }
  const first = folders(files[0]!.name);
  return {
    root: (files.length > 1 ? first.slice(0, -1) : first).join('/'),
    labelsFile: files.length > 1 ? files.map(({ name }) => name).join(', ') : files[0]!.name,
    places: refuseWithoutSplit(places),
    refused: files.flatMap(({ refused }) => refused),
    warnings: files.flatMap((file) => missingFiles(file, has)),
  };
}

/** Several labels files are clear only if each lies in its own split folder, side by side. */
function refuseRivals(files: LabelsFile[]): void {
  const paths = files.map(({ name }) => folders(name));
  const parents = new Set(paths.map((path) => path.slice(0, -1).join('/')));
  const own = new Set(paths.map((path) => path.join('/')));
  const sideBySide = parents.size === 1 && own.size === files.length;
  if (files.length === 1 || (sideBySide && paths.every((path) => splitNamed(path.at(-1) ?? '') !== undefined))) return;
  throw rivalFiles(files.map(({ name }) => name));
}

export function rivalFiles(names: string[]): AppError {
  return new AppError(
    'ambiguous_layout',
    `It is not clear which of ${nameSome(names)} decides. Keep one, or one in each of the folders train, validation and ` +
      'test.',
    { details: { files: names.slice(0, 1000) } },
  );
}

/** The split of each listed path by the folder of its labels file. A lone file counts only in a folder of training. */
function splitsOfFiles(files: LabelsFile[]): Map<string, Split | undefined> {
  const splits = new Map<string, Split | undefined>();
  for (const file of files) {
    const split = splitNamed(folders(file.name).at(-1) ?? '');
    if (files.length === 1 && split !== 'train') continue;
    for (const path of file.rows.keys()) splits.set(path, split);
  }
  return splits;
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

function missingFiles({ name, rows }: LabelsFile, has: (path: string) => boolean): string[] {
  const missing = [...rows.keys()].filter((path) => !has(path));
  if (missing.length === 0) return [];
  const files = missing.length === 1 ? '1 file that is' : `${missing.length} files that are`;
  return [`${name} lists ${files} not in the archive: ${nameSome(missing)}.`];
}

function folders(path: string): string[] {
  return path.split('/').slice(0, -1);
}

function shownPath(path: string | undefined): string {
  return path === undefined ? 'nothing' : `'${path}'`;
}
