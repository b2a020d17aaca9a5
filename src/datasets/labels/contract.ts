import type { Modality } from '../../backbones/modality.js';
import type { DatasetLayout, LayoutWanted, RefusedFile } from '../../schemas/datasets.js';
import type { Refusal } from '../archives/archive.js';
import type { Place } from './label.js';

/** A file that may be a table of labels. */
export interface TableFile {
  name: string;
  bytes: Buffer;
  /** Its name says that it is one: `labels.csv`, `metadata.csv`, `metadata.jsonl`. */
  canonical: boolean;
}

export interface LayoutInput {
  /** Paths of the files that were taken, in the archive's order. */
  names: string[];
  /** SHA-256 of each of them. */
  digests?: string[];
  tables: TableFile[];
  /** Paths of all entries of the archive (NFC), taken or not. */
  paths: ReadonlySet<string>;
  modality: Pick<Modality, 'words' | 'mayBeContent'>;
  /** What the sender says; it overrules every guess. */
  wanted?: LayoutWanted;
}

export interface ResolvedLayout {
  layout: DatasetLayout;
  /** Label and split, or why there is none, for each of `names`. */
  places: (Place | Refusal)[];
  /** Faults of the tables themselves. */
  refused: RefusedFile[];
  warnings: string[];
  /** Paths of the tables that were used. */
  tables: string[];
}
