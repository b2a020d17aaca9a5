import { AppError } from '../../errors.js';
import type { Refusal } from '../archives/archive.js';
import { labelFault, normalise, type Place } from './label.js';
import { nameSome } from './name-some.js';

/** Longest part of a name that is looked at. */
const MAX_NAME = 255;

/**
 * Read labels from the names of files by a pattern such as `{label}_{number}`. `{label}` stands once, `{number}` for digits,
 * `*` once for anything; the ending of a name does not count.
 * @throws AppError `no_labels` for a pattern that cannot be used, or that fits no name
 */
export function readLabelsInNames(names: string[], pattern: string): (Place | Refusal)[] {
  const fits = compile(pattern);
  const places = names.map((name): Place | Refusal => {
    const label = fits.exec(stemOf(name))?.groups?.label;
    if (label === undefined) return { code: 'no_label', reason: `Its name does not fit the pattern ${pattern}.` };
    return labelFault(label) ?? { label };
  });
  if (places.some((place) => 'label' in place)) return places;
  throw new AppError(
    'no_labels',
    `No name fits the pattern ${pattern}. Names are such as ${nameSome(names.map(stemOf))}.`,
  );
}

function compile(pattern: string): RegExp {
  const parts = pattern.split(/(\{label\}|\{number\}|\*)/);
  const count = (token: string) => parts.filter((part) => part === token).length;
  if (count('{label}') !== 1 || count('*') > 1 || count('{number}') > 4) {
    throw new AppError(
      'no_labels',
      `The pattern ${JSON.stringify(pattern)} cannot be used. It needs {label} once, and may have {number} and one *: {label}_{number}.`,
    );
  }
  const tokens: Record<string, string> = { '{label}': '(?<label>.+)', '{number}': '\\d+', '*': '.*' };
  return new RegExp(
    `^${parts.map((part) => tokens[part] ?? part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('')}$`,
    'su',
  );
}

/** Where names in one folder begin with what may be labels: how to say so. */
export function namesHint(names: string[]): string | undefined {
  const groups = new Map<string, number>();
  let separator = '_';
  for (const name of names) {
    const [, label, between] = /^(.*\p{L}.*?)([\s_-]*)\d+$/u.exec(stemOf(name)) ?? [];
    if (label === undefined) continue;
    groups.set(label, (groups.get(label) ?? 0) + 1);
    separator = between!;
  }
  const labels = [...groups].filter(([, count]) => count > 1).map(([label]) => label);
  const covered = labels.reduce((sum, label) => sum + groups.get(label)!, 0);
  if (labels.length < 2 || covered < 0.8 * names.length) return undefined;
  return (
    `The names of the files begin with ${nameSome(labels)}. If these are the labels, send the form field ` +
    `layout={"kind":"names","pattern":"{label}${separator}{number}"}.`
  );
}

function stemOf(name: string): string {
  const file = normalise(name).split('/').at(-1)!;
  return file.replace(/(?<=.)\.[^.]*$/, '').slice(0, MAX_NAME);
}
