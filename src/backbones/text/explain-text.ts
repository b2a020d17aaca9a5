import { sharesOf, type SparseHead } from '../../heads/sparse-head.js';
import { rounded } from '../../numbers/scores.js';
import type { Ngrams } from './ngrams.js';

/** What each word adds to the score of a class: fields of the public explanation. */
export interface TextExplanation extends Record<string, unknown> {
  words: { text: string; start: number; end: number; share: number }[];
  /** What the class scores without any word, and what it scores in all: the shares and this add up to it. */
  bias: number;
  logit: number;
}

/** Most words that are named. */
const MAX_WORDS = 1000;

/**
 * Exact for a linear head: what a column adds is divided among the places of the text where its n-grams lie, and within one
 * among its characters; what falls on a stretch between two blanks is the share of that word.
 */
export function explainText(options: {
  ngrams: Ngrams;
  text: string;
  head: SparseHead;
  classIndex: number;
}): TextExplanation {
  const { ngrams, text, head, classIndex } = options;
  const row = ngrams.row(text);
  const { shares, bias } = sharesOf(head, row, classIndex);
  const shareOf = new Map(Array.from(row.indices, (column, at) => [column, shares[at]!]));
  const places = new Map<number, number>();
  ngrams.each(text, (column) => places.set(column, (places.get(column) ?? 0) + 1));
  const perPoint: number[] = [];
  const { parts } = ngrams.each(text, (column, { from, to }) => {
    const each = shareOf.get(column)! / places.get(column)! / (to - from);
    for (let i = from; i < to; i += 1) perPoint[i] = (perPoint[i] ?? 0) + each;
  });
  const inside = parts.map(({ from, to }) => {
    let share = 0;
    for (let i = from; i < to; i += 1) share += perPoint[i] ?? 0;
    return share;
  });
  // An n-gram of several words reaches over the blanks between them: that goes to the word before.
  for (let part = 0; part + 1 < parts.length; part += 1) {
    for (let i = parts[part]!.to; i < parts[part + 1]!.from; i += 1) inside[part]! += perPoint[i] ?? 0;
  }
  const spans = inOriginal(text, parts.length);
  const logit = shares.reduce((sum, share) => sum + share, bias);
  return {
    words: spans
      .map(({ start, end }, i) => ({ text: text.slice(start, end), start, end, share: rounded(inside[i]!, 6) }))
      .slice(0, MAX_WORDS),
    bias: rounded(bias, 6),
    logit: rounded(logit, 6),
  };
}

/** The stretches between blanks in the text as it was sent; where they begin and end in the analysed one is something else. */
function inOriginal(text: string, parts: number): { start: number; end: number }[] {
  const spans = [...text.matchAll(/\S+/gu)].map(({ index, 0: part }) => ({ start: index, end: index + part.length }));
  // Both divide at the same blanks: composing and lower case make none and take none away.
  if (spans.length !== parts) throw new Error(`${spans.length} and ${parts} words of one text`);
  return spans;
}
