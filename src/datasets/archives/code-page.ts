import { TextDecoder } from 'node:util';
import { AppError } from '../../errors.js';

/** A code page by which names were read that do not say theirs. */
export interface CodePage {
  /** As the sender names it: `cp437`, `shift_jis`. */
  name: string;
  /** Whether the sender, or the bytes beyond doubt, say so. */
  sure: boolean;
  /** Absent: code page 437, as the format has it. */
  decoder?: TextDecoder;
}

/** Names of code pages as people know them, beside those of the web's standard. */
const OTHER_NAMES = new Map([
  ['cp866', 'ibm866'],
  ['cp932', 'shift_jis'],
  ['cp936', 'gbk'],
  ['cp949', 'euc-kr'],
  ['cp950', 'big5'],
  ['sjis', 'shift_jis'],
]);

/** Letters by which a code page is known: few texts of another one decode to nothing else. */
const KNOWN_BY: [name: string, label: string, letters: RegExp][] = [
  ['cp866', 'ibm866', /\p{Script=Cyrillic}/u],
  ['windows-1251', 'windows-1251', /\p{Script=Cyrillic}/u],
];
/** Kana that stand in a Japanese name; half-width ones decode from nearly anything. */
const KANA = /[\u3040-\u30ff]/gu;

/** Fewer letters prove nothing. */
const MIN_LETTERS = 6;

/**
 * The code page of names that are no UTF-8 and do not say what they are.
 * @param names as bytes
 * @param given what the sender says
 * @throws AppError `no_labels` for a code page that is not known
 */
export function codePageOf(names: Buffer[], given?: string): CodePage {
  if (given !== undefined) return givenCodePage(given);
  const japanese = decoded(names, 'shift_jis');
  const kana = japanese?.join('').match(KANA)?.length ?? 0;
  if (japanese && kana >= MIN_LETTERS) {
    return { name: 'shift_jis', sure: true, decoder: new TextDecoder('shift_jis') };
  }
  const known = KNOWN_BY.filter(([, label, letters]) => isWritten(decoded(names, label), letters));
  const [only, another] = known;
  if (only && !another) return { name: only[0], sure: true, decoder: new TextDecoder(only[1]) };
  return { name: 'cp437', sure: false };
}

function givenCodePage(given: string): CodePage {
  const name = given.toLowerCase();
  if (name === 'cp437' || name === 'ibm437') return { name, sure: true };
  try {
    return { name, sure: true, decoder: new TextDecoder(OTHER_NAMES.get(name) ?? name) };
  } catch (error) {
    throw new AppError(
      'no_labels',
      `The code page ${JSON.stringify(given)} is not known. Use a name such as cp866, shift_jis, gbk, big5, euc-kr or windows-1251.`,
      { cause: error },
    );
  }
}

function decoded(names: Buffer[], label: string): string[] | undefined {
  try {
    const decoder = new TextDecoder(label, { fatal: true });
    return names.map((name) => decoder.decode(name));
  } catch {
    return undefined;
  }
}

/** Whether every word with foreign letters is of these letters alone: a word of another code page mixes them. */
function isWritten(names: string[] | undefined, letters: RegExp): boolean {
  const words = names?.flatMap((name) => name.split(/[\s!-/:-@[-`{-~\d]+/)).filter((word) => /[^\0-\x7f]/.test(word));
  if (!words || words.join('').length < MIN_LETTERS) return false;
  return words.every((word) => [...word].every((character) => letters.test(character)));
}
