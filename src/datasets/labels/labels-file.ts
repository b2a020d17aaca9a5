import type { RefusedFile } from '../../schemas/datasets.js';
import type { Refusal } from '../archives/archive.js';
import { labelFault, normalise, type Place } from './label.js';
import { nameSome } from './name-some.js';
import type { FoundBy, PathIndex } from './path-index.js';
import type { Table, TableRow } from './read-table.js';
import { type Columns, promisesSplits, splitOf } from './table-columns.js';

/** What a table says of the files of the archive. */
export interface LabelsFile {
  /** Path of the table itself. */
  name: string;
  /** By path inside the archive, in Unicode form NFC. */
  rows: Map<string, (Place & { line: number }) | Refusal>;
  /** Rows that say nothing of a file. */
  refused: RefusedFile[];
  columns: Pick<Columns, 'used' | 'unused' | 'sure'>;
  /** The column that names splits, if one does. */
  splitColumn?: string;
  warnings: string[];
}

/** Between several labels in one cell. */
const SEPARATORS = ['|', ';', ','];
/** A header that promises several: then a blank separates, too. */
const PLURAL = /^(tags|labels|classes|attributes|categories|finding[ _]labels)$/i;

/** Read a table by what its columns mean. A row with a fault refuses its file, or itself if it names none; the others go on. */
export function readLabels(table: Table, columns: Columns, index: PathIndex): LabelsFile {
  const { name } = table;
  const file: LabelsFile = { name, rows: new Map(), refused: [], columns, warnings: [...table.warnings] };
  if (columns.split !== undefined) file.splitColumn = table.header?.[columns.split] ?? `column ${columns.split + 1}`;
  for (const { line, reason } of table.faults) file.refused.push(badRow(name, line, reason));
  const places = placesOf(table, columns);
  const missing: string[] = [];
  const foundBy: Record<FoundBy, string[]> = { path: [], tail: [], name: [] };
  const folder = name.split('/').slice(0, -1).join('/');
  for (const row of table.rows) {
    const written = row.cells[columns.file] ?? '';
    const found = index.find(written, folder);
    if (written === '') file.refused.push(badRow(name, row.line, 'it names no file.'));
    else if (found === 'none') missing.push(written);
    else if (found === 'several') {
      file.refused.push(
        badRow(name, row.line, `${JSON.stringify(written)} fits several files. Write more of its path.`),
      );
    } else {
      foundBy[found.by].push(`${written} as ${found.path}`);
      take(file, row, found.path, places(row));
    }
  }
  file.warnings.push(
    ...foundWarnings(name, foundBy),
    ...missingWarning(name, missing),
    ...columnWarnings(table, columns),
  );
  file.warnings.push(...severalWarnings(file, table.header?.[columns.label ?? -1]));
  return file;
}

export function badRow(name: string, line: number, reason: string): RefusedFile {
  return { name, code: 'bad_row', reason: `Line ${line}: ${reason}` };
}

function take({ name, rows, refused }: LabelsFile, { line }: TableRow, path: string, place: Place | Refusal): void {
  const known = rows.get(path);
  if (known === undefined) {
    rows.set(
      path,
      'code' in place ? { ...place, reason: `${name}, line ${line}: ${place.reason}` } : { ...place, line },
    );
  } else if ('label' in known && 'label' in place && (known.label !== place.label || known.split !== place.split)) {
    const reason = `${path} is listed again with another label or split than in line ${known.line}, which counts.`;
    refused.push(badRow(name, line, reason));
  }
}

/** @returns what a row says of its file, or of its text */
export function placesOf(
  table: Table,
  columns: Pick<Columns, 'label' | 'oneHot' | 'split' | 'splits'>,
): (row: TableRow) => Place | Refusal {
  const { label, oneHot, split, splits } = columns;
  // pandas writes whole numbers as 0.0 where one is missing.
  const whole =
    label !== undefined && table.rows.every(({ cells }) => /^(\d+(\.0+)?)?$/.test((cells[label] ?? '').trim()));
  const labelOf = ({ cells }: TableRow): string | Refusal => {
    if (oneHot) return hotLabel(oneHot, cells);
    const text = normalise(cells[label!] ?? '').trim();
    if (text === '') return { code: 'bad_row', reason: 'Its row has no label.' };
    return whole ? text.replace(/\.0+$/, '') : text;
  };
  return (row) => {
    const found = labelOf(row);
    if (typeof found !== 'string') return found;
    const fault = labelFault(found);
    if (fault) return fault;
    const word = split === undefined ? '' : (row.cells[split] ?? '').trim();
    if (word === '') return { label: found };
    const named = splitOf(table.header?.[split!], word, splits);
    if (named) return { label: found, split: named };
    return { code: 'bad_row', reason: `${JSON.stringify(word)} is no split; use train, validation or test.` };
  };
}

function hotLabel(oneHot: { column: number; label: string }[], cells: string[]): string | Refusal {
  const hot = oneHot.filter(({ column }) => Number(cells[column]) === 1).map(({ label }) => normalise(label));
  if (hot.length === 1) return hot[0]!;
  if (hot.length === 0) return { code: 'bad_row', reason: 'Its row has no label.' };
  return { code: 'several_labels', reason: `Its row has the labels ${nameSome(hot)}; one is taken. Keep one.` };
}

function foundWarnings(name: string, { tail, name: byName }: Record<FoundBy, string[]>): string[] {
  const warnings: string[] = [];
  if (tail.length > 0) {
    warnings.push(`${name} names ${files(tail.length)} with other folders; the end of the path decided: ${tail[0]}.`);
  }
  if (byName.length > 0) {
    warnings.push(`${name} names ${files(byName.length)} without their ending; the name decided: ${byName[0]}.`);
  }
  return warnings;
}

function missingWarning(name: string, missing: string[]): string[] {
  if (missing.length === 0) return [];
  const listed = missing.length === 1 ? '1 file that is' : `${missing.length} files that are`;
  return [`${name} lists ${listed} not in the archive: ${nameSome(missing)}.`];
}

function columnWarnings({ name, header, rows }: Table, { split, unused }: Columns): string[] {
  const warnings = unused.length === 0 ? [] : [`Columns of ${name} that were not used: ${nameSome(unused)}.`];
  const promising = split === undefined ? unused.find(promisesSplits) : undefined;
  if (promising === undefined) return warnings;
  const place = header?.indexOf(promising) ?? -1;
  const values = [...new Set(rows.map(({ cells }) => cells[place] ?? '').filter(Boolean))];
  const told = JSON.stringify({ columns: { split: promising }, splits: { [values[0] ?? '']: 'test' } });
  return [
    ...warnings,
    `The column ${promising} of ${name} names no splits: its values are ${nameSome(values)}. To use it, say what each value means, with the form field layout=${told}.`,
  ];
}

/** Several labels in one cell would silently become a class of their own. */
function severalWarnings({ name, rows }: LabelsFile, header: string | undefined): string[] {
  const labels = [...new Set([...rows.values()].flatMap((row) => ('label' in row ? [row.label] : [])))];
  const separators = PLURAL.test(header ?? '') ? [...SEPARATORS, ' '] : SEPARATORS;
  for (const separator of separators) {
    const several = combinations(labels, separator);
    if (several.length === 0) continue;
    const shown = nameSome(several.map((label) => JSON.stringify(label)));
    const by = separator === ' ' ? 'blanks' : JSON.stringify(separator);
    return [
      `Some cells of ${name} seem to hold several labels, separated by ${by}: ${shown}. Each combination was taken as a ` +
        'class of its own. If that is not meant, keep one label in each row.',
    ];
  }
  return [];
}

/** Labels of several parts. A comma alone proves nothing: a part must be in another label, too. */
function combinations(labels: string[], separator: string): string[] {
  const parts = labels.map((label) =>
    label
      .split(separator)
      .map((part) => part.trim())
      .filter(Boolean),
  );
  const counts = new Map<string, number>();
  for (const part of parts.flatMap((all) => [...new Set(all)])) counts.set(part, (counts.get(part) ?? 0) + 1);
  const shared = separator === '|' || parts.some((all) => all.length > 1 && all.some((part) => counts.get(part)! > 1));
  return shared ? labels.filter((_, i) => parts[i]!.length > 1) : [];
}

function files(count: number): string {
  return count === 1 ? '1 file' : `${count} files`;
}
