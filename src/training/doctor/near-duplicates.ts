import type { Neighbours } from './neighbours.js';

/** Two images that may be one, and how near they are: below 1 they are nearer than others around them. */
export interface Candidate {
  a: number;
  b: number;
  ratio: number;
}

/**
 * Copies are not near as such but much nearer than the next: what is near differs from data set to data set and from
 * backbone to backbone (two pairs of trousers on a white bed are nearer than one cat and its mirror image), so distances
 * are taken relative to the median of an image's neighbours, as in Lowe's ratio test. Re-encoded, resized, mirrored
 * copies and those cropped by up to 8 % a side lay below 0.6 mostly.
 */
const CANDIDATE_RATIO = 0.7;
/** Nearest neighbours of an image that may be its copies. */
const LOOKED_AT = 4;

/** Pairs to compare as pictures, the most likely first. */
export function duplicateCandidates({ count, index, distance }: Neighbours): Candidate[] {
  const images = index.length / Math.max(1, count);
  const scale = (image: number) => distance[image * count + (count >> 1)]!;
  const pairs = new Map<string, Candidate>();
  for (let image = 0; image < images; image += 1) {
    for (let place = 0; place < Math.min(LOOKED_AT, count); place += 1) {
      const other = index[image * count + place]!;
      const ratio = distance[image * count + place]! / Math.max(1e-12, Math.min(scale(image), scale(other)));
      // With few images the neighbours say little about what is near.
      if (ratio > CANDIDATE_RATIO && count >= 10) continue;
      const [a, b] = image < other ? [image, other] : [other, image];
      pairs.set(`${a} ${b}`, { a, b, ratio });
    }
  }
  return [...pairs.values()].sort((one, other) => one.ratio - other.ratio || one.a - other.a || one.b - other.b);
}

/** Sets of images that are copies of each other, from pairs; in the order of their first image. */
export function groupPairs(pairs: { a: number; b: number }[]): number[][] {
  const leader = new Map<number, number>();
  const find = (image: number): number => {
    const next = leader.get(image) ?? image;
    return next === image ? image : find(next);
  };
  for (const { a, b } of pairs) {
    const [one, other] = [find(a), find(b)];
    leader.set(Math.max(one, other), Math.min(one, other));
    leader.set(Math.min(one, other), Math.min(one, other));
  }
  const groups = new Map<number, number[]>();
  for (const image of [...new Set(pairs.flatMap(({ a, b }) => [a, b]))].sort((a, b) => a - b)) {
    const first = find(image);
    const members = groups.get(first);
    if (members) members.push(image);
    else groups.set(first, [image]);
  }
  return [...groups.values()];
}
