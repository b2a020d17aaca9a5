import type { Split } from '../schemas/common.js';
import type { DuplicateFile, Example } from '../schemas/datasets.js';
import { compareCodePoints } from './labels/label.js';

/** The more held out, the more it hurts to train on it. */
const HELD_OUT: Record<Split, number> = { train: 0, validation: 1, test: 2 };

/** A file that was taken, with the one label that its place in the archive gives it. */
export type LabelledFile = Omit<Example, 'labels' | 'conflict' | 'origin'> & { label: string };

export interface Joined {
  /** One for each content, in the order of the pack. */
  examples: Example[];
  /** Every other file of a content, in the order of the archive. */
  duplicates: DuplicateFile[];
}

/**
 * Make one example of all files with the same bytes.
 *  - It takes name and split of the first file of the most held-out split, or the test would ask what was learnt.
 *  - Under several labels it has them all and is a conflict, for only the sender knows which is right.
 */
export function joinEqualContent(files: LabelledFile[]): Joined {
  const kept = new Map<string, LabelledFile>();
  const labels = new Map<string, Set<string>>();
  for (const file of files) {
    const known = kept.get(file.sha256);
    if (known === undefined || heldOut(file) > heldOut(known)) kept.set(file.sha256, file);
    const seen = labels.get(file.sha256);
    if (seen) seen.add(file.label);
    else labels.set(file.sha256, new Set([file.label]));
  }
  const examples = [...kept].map(([sha256, { name, offset, bytes, facts, split }]): Example => {
    const all = [...labels.get(sha256)!].sort(compareCodePoints);
    return {
      sha256,
      labels: all,
      name,
      offset,
      bytes,
      ...(facts && { facts }),
      ...(split && { split }),
      ...(all.length > 1 && { conflict: true }),
      origin: 'upload',
    };
  });
  examples.sort((a, b) => a.offset - b.offset);
  const duplicates = files.flatMap((file): DuplicateFile[] => {
    const same = kept.get(file.sha256)!;
    return same === file ? [] : [{ name: file.name, same_as: same.name, kind: kindOf(file, same) }];
  });
  return { examples, duplicates };
}

function kindOf(file: LabelledFile, kept: LabelledFile): DuplicateFile['kind'] {
  if (file.label !== kept.label) return 'other_label';
  return file.split === kept.split ? 'same_class' : 'across_splits';
}

function heldOut({ split }: LabelledFile): number {
  return split === undefined ? 0 : HELD_OUT[split];
}
