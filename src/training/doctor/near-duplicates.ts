import type { Neighbours } from './neighbours.js';

/** Two examples that may be one, and how near they are: below 1 they are nearer than others around them. */
export interface Candidate {
  a: number;
  b: number;
  ratio: number;
}

/**
 * Copies are not near as such but much nearer than the next: what is near differs from data set to data set and from
 * backbone to backbone (two pairs of trousers on a white bed are nearer than one cat and its mirror example), so distances
 * are taken relative to the median of an example's neighbours, as in Lowe's ratio test. Re-encoded, resized, mirrored
 * copies and those cropped by up to 8 % a side lay below 0.6 mostly.
 */
const CANDIDATE_RATIO = 0.7;
/** Nearest neighbours of an example that may be its copies. */
const LOOKED_AT = 4;

/** Pairs whose contents to compare, the most likely first. */
export function duplicateCandidates({ count, index, distance }: Neighbours): Candidate[] {
  const examples = index.length / Math.max(1, count);
  const scale = (example: number) => distance[example * count + (count >> 1)]!;
  const pairs = new Map<string, Candidate>();
  for (let example = 0; example < examples; example += 1) {
    for (let place = 0; place < Math.min(LOOKED_AT, count); place += 1) {
      const other = index[example * count + place]!;
      const ratio = distance[example * count + place]! / Math.max(1e-12, Math.min(scale(example), scale(other)));
      // With few examples the neighbours say little about what is near.
      if (ratio > CANDIDATE_RATIO && count >= 10) continue;
      const [a, b] = example < other ? [example, other] : [other, example];
      pairs.set(`${a} ${b}`, { a, b, ratio });
    }
  }
  return [...pairs.values()].sort((one, other) => one.ratio - other.ratio || one.a - other.a || one.b - other.b);
}

/** Sets of examples that are copies of each other, from pairs; in the order of their first example. */
export function groupPairs(pairs: { a: number; b: number }[]): number[][] {
  const leader = new Map<number, number>();
  const find = (example: number): number => {
    const next = leader.get(example) ?? example;
    return next === example ? example : find(next);
  };
  for (const { a, b } of pairs) {
    const [one, other] = [find(a), find(b)];
    leader.set(Math.max(one, other), Math.min(one, other));
    leader.set(Math.min(one, other), Math.min(one, other));
  }
  const groups = new Map<number, number[]>();
  for (const example of [...new Set(pairs.flatMap(({ a, b }) => [a, b]))].sort((a, b) => a - b)) {
    const first = find(example);
    const members = groups.get(first);
    if (members) members.push(example);
    else groups.set(first, [example]);
  }
  return [...groups.values()];
}
