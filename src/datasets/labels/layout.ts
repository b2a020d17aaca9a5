/**
 * labels/ decides label and split of each file, from folders or from a table, by names alone. Whether a file is content,
 * and what equal contents become, is for datasets/; how an archive is read, for archives/.
 */
import type { Modality } from '../../backbones/modality.js';
import type { DatasetLayout, RefusedFile } from '../../schemas/datasets.js';
import type { Refusal } from '../archives/archive.js';
import { type Place, readClassFolders } from './class-folders.js';
import type { LabelsFile } from './labels-file.js';
import { readListedLabels } from './listed-labels.js';

export interface LayoutInput {
  /** Paths of the files that were taken, in the archive's order. */
  names: string[];
  labelsFiles: LabelsFile[];
  /** Whether the archive has an entry of this path (NFC), taken or not. */
  has: (path: string) => boolean;
  words: Modality['words'];
}

export interface ResolvedLayout {
  layout: DatasetLayout;
  /** Label and split, or why there is none, for each of `names`. */
  places: (Place | Refusal)[];
  /** Faults of the labels files themselves. */
  refused: RefusedFile[];
  warnings: string[];
}

/**
 * Decide the label and the split of every file: a labels file decides where there is one, folders where there is none.
 * @throws AppError `no_labels`, `ambiguous_layout`.
 */
export function resolveLayout({ names, labelsFiles, has, words }: LayoutInput): ResolvedLayout {
  if (labelsFiles.length > 0) {
    const { root, labelsFile, places, refused, warnings } = readListedLabels({ names, files: labelsFiles, has, words });
    return { layout: { kind: 'labels_file', root, labels_file: labelsFile }, places, refused, warnings };
  }
  const { kind, root, places } = readClassFolders(names, words);
  return { layout: { kind, root }, places, refused: [], warnings: [] };
}
