import { AppError } from '../../errors.js';
import type { Refusal } from '../archives/archive.js';
import { normalise, type Place } from './label.js';
import type { LabelsFile } from './labels-file.js';
import type { LayoutInput, ResolvedLayout } from './contract.js';
import { nameSome } from './name-some.js';
import { splitNamed, splitWithin } from './split-names.js';

/**
 * Class folders for training, and tables for what is held out, as in Tiny ImageNet: the tables label files outside the training
 * folder only, and with the names of its classes.
 * @param readFolders how the folders of some of the files are read; undefined: they cannot be
 * @returns undefined where it is not so
 * @throws AppError `ambiguous_layout` where the classes of the tables are not those of the folders
 */
export function tablesBesideFolders(
  input: LayoutInput,
  tables: LabelsFile[],
  readFolders: (input: LayoutInput) => ResolvedLayout | undefined,
): ResolvedLayout | undefined {
  const { digests } = input;
  const names = input.names.map(normalise);
  const rows = new Map(tables.flatMap(({ rows }) => [...rows]));
  const unlisted = names.flatMap((name, i) => (rows.has(name) ? [] : [i]));
  if (unlisted.length === 0 || unlisted.length === names.length) return undefined;
  const folders = readFolders({
    ...input,
    tables: [],
    names: unlisted.map((i) => input.names[i]!),
    ...(digests && { digests: unlisted.map((i) => digests[i]!) }),
  });
  if (folders?.layout.kind !== 'split_folders') return undefined;
  const training = folders.places.flatMap((place) =>
    'label' in place && place.split === 'train' ? [place.label] : [],
  );
  const classes = new Set(training);
  const depth = folders.layout.root === '' ? 0 : folders.layout.root.split('/').length;
  const splitOf = splitsOf(tables, depth);
  const listed = names.filter((name) => rows.has(name));
  if (classes.size < 2 || listed.some((name) => [undefined, 'train'].includes(splitOf(name)))) return undefined;
  const foreign = new Set(
    listed.flatMap((name) => {
      const row = rows.get(name)!;
      return 'label' in row && !classes.has(row.label) ? [row.label] : [];
    }),
  );
  const tableNames = tables.map(({ name }) => name);
  if (foreign.size > 0) {
    throw new AppError(
      'ambiguous_layout',
      `${nameSome(tableNames)} labels what is held out with names that no folder for training has: ${nameSome([...foreign])}. ` +
        `The folders are ${nameSome([...classes])}. Use the same names in both, or list all files in the table.`,
      { details: { files: tableNames } },
    );
  }
  const byFolder = new Map(unlisted.map((i, place) => [i, folders.places[place]!]));
  const places = names.map((name, i): Place | Refusal => {
    const row = rows.get(name);
    if (row === undefined) return byFolder.get(i)!;
    return 'code' in row ? row : { label: row.label, split: row.split ?? splitOf(name)! };
  });
  return {
    layout: {
      kind: 'split_folders',
      root: folders.layout.root,
      labels_file: tableNames.join(', '),
      columns_used: [...new Set(tables.flatMap(({ columns }) => columns.used))],
      columns_unused: [...new Set(tables.flatMap(({ columns }) => columns.unused))],
      split_from: `the folders, and ${nameSome(tableNames)}`,
    },
    places,
    refused: tables.flatMap(({ refused }) => refused),
    warnings: [
      `The labels for training are those of the folders; ${nameSome(tableNames)} labels what is held out.`,
      ...folders.warnings,
      ...tables.flatMap(({ warnings }) => warnings),
    ],
    tables: tableNames,
  };
}

/** The split of a listed file by its folder, or by the name or folder of its table. */
function splitsOf(tables: LabelsFile[], depth: number) {
  const byTable = new Map(
    tables.flatMap(({ name, rows }) => {
      const folder = name.split('/').at(-2) ?? '';
      const stem = name
        .split('/')
        .at(-1)!
        .replace(/\.[^.]*$/, '');
      const split = splitNamed(folder) ?? splitWithin(stem)?.split ?? splitNamed(stem);
      return [...rows.keys()].map((path) => [path, split] as const);
    }),
  );
  return (path: string) => splitNamed(path.split('/')[depth] ?? '') ?? byTable.get(path);
}
