/**
 * What n-grams are made of: the code points of a text in small letters, its words, and its parts between blanks. The same in
 * every language that reimplements it: Unicode form NFC, then lower case, then the general category of each code point.
 */

/** A stretch of code points, `from` up to and without `to`. */
export interface Span {
  from: number;
  to: number;
}

export interface AnalysedText {
  /** Unicode form NFC, in small letters. */
  points: Uint32Array;
  /** Runs of letters, marks, digits and `_`; of scripts written without blanks each letter is one. */
  words: Span[];
  /** What stands between blanks, punctuation included. */
  parts: Span[];
}

const OTHER = 1;
const BLANK = 2;
const WORD = 3;
/** A letter of a script that puts no blanks between words. */
const ALONE = 4;

const IS_BLANK = /\s/u;
const IS_WORD = /[\p{L}\p{M}\p{N}_]/u;
const IS_ALONE =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;

/** Kinds of the code points that were met, 0 where one was not. */
const kinds = new Uint8Array(0x110000);

function kindOf(point: number): number {
  const known = kinds[point]!;
  if (known !== 0) return known;
  const text = String.fromCodePoint(point);
  const kind = IS_BLANK.test(text) ? BLANK : !IS_WORD.test(text) ? OTHER : IS_ALONE.test(text) ? ALONE : WORD;
  kinds[point] = kind;
  return kind;
}

export function analyse(text: string): AnalysedText {
  const lower = text.normalize('NFC').toLowerCase();
  const points = new Uint32Array(lower.length);
  let length = 0;
  const words: Span[] = [];
  const parts: Span[] = [];
  let [word, part] = [-1, -1];
  for (let i = 0; i < lower.length; i += 1) {
    let point = lower.charCodeAt(i);
    if (point >= 0xd800 && point <= 0xdbff && i + 1 < lower.length) {
      point = lower.codePointAt(i)!;
      if (point > 0xffff) i += 1;
    }
    const kind = kindOf(point);
    if (kind !== WORD && word >= 0) {
      words.push({ from: word, to: length });
      word = -1;
    }
    if (kind === BLANK) {
      if (part >= 0) parts.push({ from: part, to: length });
      part = -1;
    } else {
      if (part < 0) part = length;
      if (kind === ALONE) words.push({ from: length, to: length + 1 });
      else if (kind === WORD && word < 0) word = length;
    }
    points[length] = point;
    length += 1;
  }
  if (word >= 0) words.push({ from: word, to: length });
  if (part >= 0) parts.push({ from: part, to: length });
  return { points: points.subarray(0, length), words, parts };
}
