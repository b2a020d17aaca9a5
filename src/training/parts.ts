/**
 * Which part an example is in follows from its content and the seed alone, so that it stays where it is when a data set
 * changes, and two versions can be compared on what neither was fitted on.
 *
 * Each example has a number in [0, 1): the hash of seed, purpose and digest. Held out is what lies below the fraction; its
 * fold is the number times the count of folds. Neither its label nor other examples matter, with one exception in each
 * class, so that every class is measured and can be learnt:
 *  - Of two and more examples none lies below the fraction: the lowest is held out.
 *  - All of them lie below: the highest is for training. So the only example of a class always is.
 *  - All of two and more lie in one fold: the lowest goes to the next fold, or the fit that does not see that fold would
 *    know nothing of the class. The only example of a class is in no fold: every fit sees it.
 * Only the example of an exception may move when its class changes. Classes of 30 and more hardly ever have one.
 */
import { createHash } from 'node:crypto';
import type { LabelledExample } from '../schemas/datasets.js';

export type SplitEntry = Pick<LabelledExample, 'sha256' | 'label' | 'split'>;

/**
 * Take `fraction` of the examples away; another fraction moves only what lies between the two.
 * @param from indices of those that are there to take
 * @param purpose what they are taken for: other purposes take others
 */
export function holdOut(
  entries: readonly SplitEntry[],
  from: number[],
  fraction: number,
  seed: number,
  purpose: string,
): { kept: number[]; held: number[] } {
  if (fraction === 0) return { kept: from, held: [] };
  const held = new Set<number>();
  for (const members of classesOf(entries, from, seed, purpose)) {
    const below = members.filter(({ place }) => place < fraction).length;
    const count = Math.min(members.length - 1, Math.max(1, below));
    for (const { index } of members.slice(0, count)) held.add(index);
  }
  return { kept: from.filter((index) => !held.has(index)), held: from.filter((index) => held.has(index)) };
}

/**
 * Deal examples to folds.
 * @returns for each of `from` the fold in which it is held out; −1, never, for the only example of a class
 */
export function dealFolds(
  entries: readonly SplitEntry[],
  from: number[],
  folds: number,
  seed: number,
): Map<number, number> {
  const dealt = new Map<number, number>();
  for (const members of classesOf(entries, from, seed, 'folds')) {
    for (const { index, place } of members) dealt.set(index, Math.floor(place * folds));
    const [lowest] = members;
    const fold = dealt.get(lowest!.index)!;
    if (members.length === 1) dealt.set(lowest!.index, -1);
    else if (members.every(({ index }) => dealt.get(index) === fold)) dealt.set(lowest!.index, (fold + 1) % folds);
  }
  return new Map(from.map((index) => [index, dealt.get(index)!]));
}

interface Placed {
  index: number;
  /** In [0, 1). */
  place: number;
}

/** The examples of each class, the lowest first. */
function classesOf(entries: readonly SplitEntry[], from: number[], seed: number, purpose: string): Placed[][] {
  const classes = new Map<string, Placed[]>();
  for (const index of from) {
    const { label, sha256 } = entries[index]!;
    const placed = { index, place: placeOf(seed, purpose, sha256) };
    const members = classes.get(label);
    if (members) members.push(placed);
    else classes.set(label, [placed]);
  }
  return [...classes.values()].map((members) => members.sort((a, b) => a.place - b.place));
}

function placeOf(seed: number, purpose: string, sha256: string): number {
  return createHash('sha256').update(`${seed}\n${purpose}\n${sha256}`).digest().readUIntBE(0, 6) / 2 ** 48;
}
