/**
 * labels/ decides label and split of each file, from folders, from a table or from names, by paths alone. Whether a file is
 * content, and what equal contents become, is for datasets/; how an archive is read, for archives/.
 */
import { AppError } from '../../errors.js';
import type { LayoutWanted } from '../../schemas/datasets.js';
import { type FolderLayout, readClassFolders } from './class-folders.js';
import type { LayoutInput, ResolvedLayout, TableFile } from './contract.js';
import { foreignFormats } from './foreign-formats.js';
import { tablesBesideFolders } from './tables-beside-folders.js';
import { giveClassNames } from './class-names.js';
import { type LabelsFile, readLabels } from './labels-file.js';
import { readLabelsInNames } from './labels-in-names.js';
import { readListedLabels } from './listed-labels.js';
import { PathIndex } from './path-index.js';
import { readTable, type Table } from './read-table.js';
import { findColumns, promisesLabels } from './table-columns.js';

/** A table, and what it is good for. */
interface Judged {
  file: TableFile;
  table?: Table;
  listed?: LabelsFile;
  /** Why it labels no file; a sentence. */
  unusable?: AppError;
}

/**
 * Decide the label and the split of every file: a table decides where one labels files, folders where none does, and what the
 * sender says before all.
 * @throws AppError `no_labels`, `ambiguous_layout`.
 */
export async function resolveLayout(input: LayoutInput): Promise<ResolvedLayout> {
  const { names, modality, wanted = {} } = input;
  if (wanted.kind === 'names') return byNames(names, wanted);
  if (wanted.kind === 'folders') return byFolders(input, []);
  const judged = await judgeTables(input);
  const usable = judged.flatMap(({ file, listed }) => (listed ? [{ ...listed, canonical: file.canonical }] : []));
  if (usable.length === 0) {
    if (wanted.kind === 'table' || wanted.table !== undefined) throw noTable(input, judged);
    return byFolders(input, judged);
  }
  const told = wanted.kind === 'table' || wanted.table !== undefined;
  if (!told) {
    const beside = tablesBesideFolders(input, usable, tryFolders);
    if (beside) return beside;
  }
  const guessed = usable.every(({ columns }) => !columns.sure);
  const folders = guessed && !told ? tryFolders(input) : undefined;
  if (folders && new Set(folders.places.flatMap((place) => ('label' in place ? [place.label] : []))).size > 1) {
    const warning = `${usable[0]!.name} may hold labels, too, in ${usable[0]!.columns.used.join(', ')}; the folders were taken. To take the table, send the form field layout={"table":${JSON.stringify(usable[0]!.name)}}.`;
    return { ...folders, warnings: [...folders.warnings, warning] };
  }
  const { root, tables, places, refused, warnings, columns, splitFrom } = readListedLabels({
    names,
    files: usable,
    words: modality.words,
  });
  const named = giveClassNames(
    places,
    judged.flatMap(({ table, listed }) => (table && !listed ? [table] : [])),
    input.tables,
  );
  return {
    layout: {
      kind: 'labels_file',
      root,
      labels_file: tables.join(', '),
      columns_used: columns.used,
      columns_unused: columns.unused,
      ...(splitFrom !== undefined && { split_from: splitFrom }),
    },
    places: named.places,
    refused,
    warnings: [...notUsed(judged), ...warnings, ...named.warnings],
    tables: [...tables, ...(named.by === undefined ? [] : [named.by])],
  };
}

/** Why tables whose names promise labels give none. */
function notUsed(judged: Judged[]): string[] {
  return judged.flatMap(({ file, unusable }) => (file.canonical && unusable ? [unusable.message] : []));
}

function byNames(names: string[], { pattern = '{label}_{number}' }: LayoutWanted): ResolvedLayout {
  return {
    layout: { kind: 'names', root: '' },
    places: readLabelsInNames(names, pattern),
    refused: [],
    warnings: [],
    tables: [],
  };
}

function byFolders(input: LayoutInput, judged: Judged[]): ResolvedLayout {
  const { names, digests, modality, wanted } = input;
  const told = notUsed(judged);
  const ambiguous = judged.find(({ unusable }) => unusable?.code === 'ambiguous_layout')?.unusable;
  let found: FolderLayout;
  try {
    found = readClassFolders({
      names,
      words: modality.words,
      ...(digests && { digests }),
      ...(wanted?.splits && { splits: wanted.splits }),
    });
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'no_labels') throw error;
    if (ambiguous) throw ambiguous;
    const why = [...told, ...foreignFormats(input.tables, names, input.paths)];
    if (why.length === 0) throw error;
    throw new AppError('no_labels', `${why.join(' ')} ${error.message}`, { details: error.details });
  }
  const foreign = foreignFormats(input.tables, names, input.paths);
  const labels = new Set(found.places.flatMap((place) => ('label' in place ? [place.label] : [])));
  if (foreign.length > 0 && labels.size < 2 && wanted?.kind !== 'folders') {
    throw new AppError(
      'no_labels',
      `${foreign.join(' ')} The folders give one class only, ${[...labels].map((label) => JSON.stringify(label)).join()}. Put the files of each class into a folder named after it, or add a labels.csv with the columns file_name,label.`,
    );
  }
  const named = giveClassNames(
    found.places,
    judged.flatMap(({ table, listed }) => (table && !listed ? [table] : [])),
    input.tables,
  );
  const promising = judged.find(
    ({ file, table, unusable }) => file.canonical && table && unusable && promisesLabels(table),
  );
  if (promising && promising.file.name !== named.by && wanted?.kind !== 'folders') {
    throw new AppError(
      'no_labels',
      `${promising.unusable!.message} To take the folders as classes, send the form field layout={"kind":"folders"}.`,
    );
  }
  const unused = named.by === undefined ? told : told.filter((message) => !message.startsWith(named.by!));
  const warnings = [
    ...found.warnings,
    ...named.warnings,
    ...foreign.map((what) => `${what} The folders were taken as classes.`),
    ...unused.map((why) => `${why} The folders were taken as classes.`),
  ];
  if (ambiguous && !ambiguous.message.startsWith(named.by ?? ' '))
    warnings.push(`${ambiguous.message} The folders were taken as classes.`);
  return {
    layout: {
      kind: found.kind,
      root: found.root,
      ...(found.splits && { split_from: `the folders ${[...found.splits.keys()].join(', ')}` }),
    },
    places: named.places,
    refused: [],
    warnings,
    tables: named.by === undefined ? [] : [named.by],
  };
}

function tryFolders(input: LayoutInput): ResolvedLayout | undefined {
  try {
    return byFolders(input, []);
  } catch (error) {
    if (error instanceof AppError) return undefined;
    throw error;
  }
}

async function judgeTables({ names, tables, paths, modality, wanted = {} }: LayoutInput): Promise<Judged[]> {
  const chosen = wanted.table === undefined ? tables : tables.filter(({ name }) => name === wanted.table);
  if (chosen.length === 0) return [];
  const index = new PathIndex(paths);
  const taken = new Set(names);
  const folders = new Set([...paths].flatMap((path) => path.split('/').slice(0, -1)));
  const judged: Judged[] = [];
  for (const file of chosen) {
    if (/\.json$/i.test(file.name)) continue;
    const folder = file.name.split('/').slice(0, -1).join('/');
    // A header such as `filename` has no ending.
    const isFile = (cell: string) =>
      (/\.\w{2,5}$/.test(cell) && modality.mayBeContent(cell)) || typeof index.find(cell, folder) === 'object';
    let table: Table | undefined;
    try {
      if (wanted.table === undefined && /submission/i.test(file.name))
        throw unusable(file.name, 'its name says that it is the form of a submission');
      table = await readTable(file.name, file.bytes, isFile, wanted);
      const columns = findColumns(table, index, { wanted: wanted.columns, splits: wanted.splits, folders });
      if ('unusable' in columns) throw unusable(file.name, columns.unusable, table);
      const listed = readLabels(table, columns, index);
      if (![...listed.rows].some(([path, row]) => 'label' in row && taken.has(path))) {
        throw unusable(file.name, 'it labels no file that could be taken', table);
      }
      judged.push({ file, table, listed });
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      judged.push({ file, ...(table && { table }), unusable: error });
    }
  }
  return judged;
}

function unusable(name: string, why: string, table?: Table): AppError {
  const has = table?.header ? ` Its columns are ${table.header.filter(Boolean).join(', ')}.` : '';
  return new AppError('no_labels', `${name} gives no labels: ${why}.${has}`);
}

function noTable({ tables, wanted = {} }: LayoutInput, judged: Judged[]): AppError {
  const why = judged.find(({ unusable }) => unusable)?.unusable;
  if (why) return why;
  const found = tables.map(({ name }) => name).join(', ');
  return new AppError(
    'no_labels',
    `The archive has no table${wanted.table === undefined ? '' : ` ${wanted.table}`}. ${found === '' ? 'It has none at all.' : `It has ${found}.`}`,
  );
}
