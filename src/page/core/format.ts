/** Numbers as people read them, in the language of the browser. */
import { words } from '../words/words.js';

/** Made when it is first needed: the first one of a page takes tens of milliseconds. */
let whole: Intl.NumberFormat | undefined;
let short: Intl.NumberFormat | undefined;

export function count(value: number): string {
  whole ??= new Intl.NumberFormat(words.language);
  return whole.format(value);
}

function oneDigit(value: number): string {
  short ??= new Intl.NumberFormat(words.language, { maximumFractionDigits: 1 });
  return short.format(value);
}

/** `83.1 %` */
export function percent(share: number | null | undefined, digits = 1): string {
  return share === null || share === undefined ? '–' : `${(share * 100).toFixed(digits)} %`;
}

export function bytes(value: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  let size = value;
  let unit = 0;
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? size : oneDigit(size)} ${units[unit]}`;
}

export function seconds(value: number): string {
  if (value < 10) return `${oneDigit(Math.max(0.1, value))} s`;
  if (value < 90) return `${Math.round(value)} s`;
  return value < 5400 ? `${Math.round(value / 60)} min` : `${oneDigit(value / 3600)} h`;
}

export function when(time: string): string {
  return new Date(time).toLocaleString(words.language, { dateStyle: 'medium', timeStyle: 'short' });
}

/** A name as the service takes it for a model. */
export function modelName(text: string): string {
  const name = text
    .toLowerCase()
    .replace(/\.(zip|tar|tgz|tar\.gz|tar\.zst)$/, '')
    .normalize('NFKD')
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[^a-z0-9]+|-+$/g, '')
    .slice(0, 64);
  return name === '' ? 'my-model' : name;
}
