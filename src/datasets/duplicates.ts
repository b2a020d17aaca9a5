import type { Split } from '../schemas/common.js';
import type { DatasetEntry, DuplicateFile } from '../schemas/datasets.js';

/** The more held out, the more it hurts to train on it. */
const HELD_OUT: Record<Split, number> = { train: 0, validation: 1, test: 2 };

export interface Deduplicated {
  entries: DatasetEntry[];
  duplicates: DuplicateFile[];
}

/**
 * Leave out images whose bytes occur more than once under one label; order stays that of the archive.
 *  - One label, one split: the first stays.
 *  - One label, several splits: the first of the most held-out split stays, or the test would ask what was learnt.
 *  - Several labels: one of each stays, for only the sender knows which is right.
 */
export function leaveOutDuplicates(entries: DatasetEntry[]): Deduplicated {
  const kept = new Map<string, Map<string, DatasetEntry>>();
  for (const entry of entries) {
    const labels = kept.get(entry.sha256) ?? new Map<string, DatasetEntry>();
    kept.set(entry.sha256, labels);
    const known = labels.get(entry.label);
    if (known === undefined || heldOut(entry) > heldOut(known)) labels.set(entry.label, entry);
  }
  const duplicates: DuplicateFile[] = [];
  const stay: DatasetEntry[] = [];
  for (const entry of entries) {
    const labels = kept.get(entry.sha256)!;
    const same = labels.get(entry.label)!;
    if (same !== entry) {
      const kind = same.split === entry.split ? 'same_class' : 'across_splits';
      duplicates.push({ name: entry.name, same_as: same.name, kind });
      continue;
    }
    stay.push(entry);
    const [other] = labels.values();
    if (other !== entry) duplicates.push({ name: entry.name, same_as: other!.name, kind: 'other_label' });
  }
  return { entries: stay, duplicates };
}

function heldOut({ split }: DatasetEntry): number {
  return split === undefined ? 0 : HELD_OUT[split];
}
