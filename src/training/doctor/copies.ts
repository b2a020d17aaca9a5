import { availableParallelism } from 'node:os';
import pLimit from 'p-limit';
import type { Similarity } from '../../backbones/modality.js';
import { duplicateCandidates, groupPairs } from './near-duplicates.js';
import type { Neighbours } from './neighbours.js';

/** Pairs whose contents are compared. */
const MAX_PAIRS = 2000;

/** Examples by their index, with what is near in features. */
export interface Compared {
  /** Example of each row of the neighbours. */
  examples: number[];
  neighbours: Neighbours;
}

/**
 * Groups of examples that are copies of each other: near in features, and then alike in content. Without a similarity, only
 * equal bytes are copies.
 */
export async function copies<E extends { sha256: string }>(options: {
  entries: E[];
  compared: Compared;
  similarity: Similarity | undefined;
  readContent: (entry: E) => Promise<Uint8Array>;
}): Promise<number[][]> {
  const { entries, compared, similarity, readContent } = options;
  if (!similarity) return equalBytes(entries);
  const signatures = new Map<number, Promise<unknown>>();
  const signatureOf = (example: number) => {
    let signature = signatures.get(example);
    if (!signature) {
      signature = readContent(entries[example]!).then((content) => similarity.signature(content));
      signatures.set(example, signature);
    }
    return signature;
  };
  const atOnce = pLimit(availableParallelism());
  const candidates = duplicateCandidates(compared.neighbours).slice(0, MAX_PAIRS);
  const pairs = candidates.map(({ a, b }) => ({ a: compared.examples[a]!, b: compared.examples[b]! }));
  const similarities = await Promise.all(
    pairs.map(({ a, b }) =>
      atOnce(async () => similarity.compare(...(await Promise.all([signatureOf(a), signatureOf(b)])))),
    ),
  );
  return groupPairs(pairs.filter((_, i) => similarities[i]! >= similarity.copies));
}

function equalBytes(entries: { sha256: string }[]): number[][] {
  const groups = new Map<string, number[]>();
  entries.forEach(({ sha256 }, example) => {
    const members = groups.get(sha256);
    if (members) members.push(example);
    else groups.set(sha256, [example]);
  });
  return [...groups.values()].filter((members) => members.length > 1);
}
