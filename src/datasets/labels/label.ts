import type { Split } from '../../schemas/common.js';
import type { Refusal } from '../archives/archive.js';

const MAX_LABEL = 200;

/** What a layout says of one file. */
export interface Place {
  label: string;
  split?: Split;
}

/** Unicode form in which labels and paths are compared: macOS writes `é` as two characters, others as one. */
export function normalise(text: string): string {
  return text.normalize('NFC');
}

/** Why a text cannot be a label; undefined where it can. Any name will do, `__proto__` and emoji included. */
export function labelFault(label: string): Refusal | undefined {
  const fault = (reason: string) => ({ code: 'bad_label', reason });
  if (label.trim() === '') return fault('Its label is empty.');
  const length = [...label].length;
  if (length > MAX_LABEL) return fault(`Its label has ${length} characters; at most ${MAX_LABEL} are taken.`);
  if (/\p{Cc}/u.test(label)) return fault(`Its label ${JSON.stringify(label)} contains control characters.`);
  return undefined;
}

/** Order of labels: by code point, the same in every locale; `<` alone goes by UTF-16 unit and puts emoji before some letters. */
export function compareCodePoints(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
