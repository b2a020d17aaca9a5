import { analyse } from './analyse.js';

/** What is compared of two texts: their words in order, without case and punctuation, and which pairs of them they have. */
export interface TextSignature {
  words: string;
  pairs: Set<string>;
}

/** From here on two texts are copies: of twelve words one is another. */
export const SAME_TEXT = 0.7;

export function textSignature(text: string): TextSignature {
  const { points, words } = analyse(text);
  const list = words.map(({ from, to }) => String.fromCodePoint(...points.subarray(from, to)));
  const ends = ['', ...list, ''];
  return { words: list.join(' '), pairs: new Set(ends.slice(1).map((word, i) => `${ends[i]} ${word}`)) };
}

/** Share of the pairs of words that both have of all that one has (Jaccard); 1 where the words are the same. */
export function textSimilarity(one: TextSignature, other: TextSignature): number {
  if (one.words === other.words) return 1;
  let common = 0;
  for (const pair of one.pairs) if (other.pairs.has(pair)) common += 1;
  return common / (one.pairs.size + other.pairs.size - common);
}
