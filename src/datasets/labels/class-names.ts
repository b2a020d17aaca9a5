import type { Refusal } from '../archives/archive.js';
import { labelFault, normalise, type Place } from './label.js';
import { nameSome } from './name-some.js';
import type { Table } from './read-table.js';

/** Names for classes that have only a number. */
interface ClassNames {
  /** The file that gives them. */
  name: string;
  names: Map<string, string>;
}

export interface NamedClasses {
  places: (Place | Refusal)[];
  warnings: string[];
  /** The file that gave the names. */
  by?: string;
}

/**
 * Where every label is a number and a small table or JSON object gives each a name, the names are the labels: Kaggle's
 * `ClassId,Name` and `label_num_to_disease_map.json`.
 */
export function giveClassNames(
  places: (Place | Refusal)[],
  tables: Table[],
  files: { name: string; bytes: Buffer }[],
): NamedClasses {
  const labels = [...new Set(places.flatMap((place) => ('label' in place ? [place.label] : [])))];
  if (labels.length === 0 || !labels.every((label) => /^\d+$/.test(label))) return { places, warnings: [] };
  const candidates = [...tables.flatMap(namesInTable), ...files.flatMap(namesInJson)];
  const found = candidates.find(({ names }) => labels.every((label) => names.has(number(label))));
  if (!found) return { places, warnings: [] };
  const named = labels.map((label) => `${label} is ${JSON.stringify(found.names.get(number(label)))}`);
  return {
    places: places.map((place) =>
      'label' in place ? { ...place, label: found.names.get(number(place.label))! } : place,
    ),
    warnings: [`${found.name} gave the names of the classes: ${nameSome(named)}.`],
    by: found.name,
  };
}

/** Two columns, one of numbers and one of names, each of them once. */
function namesInTable({ name, header, rows }: Table): ClassNames[] {
  const width = header?.length ?? rows[0]?.cells.length ?? 0;
  if (width !== 2) return [];
  const numbers = [0, 1].find((column) => rows.every(({ cells }) => /^\d+(\.0+)?$/.test(cells[column] ?? '')));
  if (numbers === undefined) return [];
  const names = new Map(rows.map(({ cells }) => [number(cells[numbers]!), normalise(cells[1 - numbers] ?? '')]));
  return areNames(names, rows.length) ? [{ name, names }] : [];
}

function namesInJson({ name, bytes }: { name: string; bytes: Buffer }): ClassNames[] {
  if (!/\.json$/i.test(name) || bytes.length > 1024 * 1024) return [];
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch {
    return [];
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [];
  const entries = Object.entries(value);
  if (!entries.every(([key, text]) => /^\d+$/.test(key) && typeof text === 'string')) return [];
  const names = new Map(entries.map(([key, text]): [string, string] => [number(key), normalise(text)]));
  return areNames(names, entries.length) ? [{ name, names }] : [];
}

function areNames(names: Map<string, string>, count: number): boolean {
  const all = [...names.values()];
  return names.size === count && new Set(all).size === count && all.every((text) => labelFault(text) === undefined);
}

/** `007` and `7.0` are the class 7. */
function number(label: string): string {
  return String(Number(label));
}
