import { seededRandom, shuffled } from '../numbers/random.js';
import type { LabelledExample } from '../schemas/datasets.js';

export type SplitEntry = Pick<LabelledExample, 'label' | 'split'> & Partial<Pick<LabelledExample, 'sha256'>>;

/** Take `fraction` of each class away, at least one of two and more, never the last. */
export function holdOut(
  entries: readonly SplitEntry[],
  from: number[],
  fraction: number,
  seed: number,
  purpose: string,
): { kept: number[]; held: number[] } {
  const held = new Set<number>();
  for (const [label, members] of byLabel(entries, from)) {
    if (fraction === 0 || members.length < 2) continue;
    const count = Math.min(members.length - 1, Math.max(1, Math.round(members.length * fraction)));
    for (const index of shuffled(members, seededRandom(seed, `${purpose} ${label}`)).slice(0, count)) held.add(index);
  }
  return { kept: from.filter((index) => !held.has(index)), held: [...held].sort((a, b) => a - b) };
}

/**
 * Deal images to folds, class by class.
 * @returns for each of `from` the fold in which it is held out; −1, never, for the only image of a class
 */
export function dealFolds(
  entries: readonly SplitEntry[],
  from: number[],
  folds: number,
  seed: number,
): Map<number, number> {
  const fold = new Map<number, number>();
  let next = 0;
  for (const [label, members] of byLabel(entries, from)) {
    const order = shuffled(members, seededRandom(seed, `folds ${label}`));
    for (const index of order) fold.set(index, order.length === 1 ? -1 : next++ % folds);
  }
  return fold;
}

function byLabel(entries: readonly SplitEntry[], indices: number[]): Map<string, number[]> {
  const groups = new Map<string, number[]>();
  // By content, so that the order and the format of the archive do not matter.
  const digest = (index: number) => entries[index]!.sha256 ?? '';
  const sorted = [...indices].sort((a, b) => (digest(a) < digest(b) ? -1 : Number(digest(a) > digest(b))));
  for (const index of sorted) {
    const { label } = entries[index]!;
    const group = groups.get(label);
    if (group) group.push(index);
    else groups.set(label, [index]);
  }
  return groups;
}
