import type { Modality } from '../../backbones/modality.js';
import { AppError } from '../../errors.js';
import type { Split } from '../../schemas/common.js';
import type { Refusal } from '../archives/archive.js';
import { labelFault, normalise } from './label.js';
import { splitDepth, splitNamed } from './split-names.js';

/** What a layout says of one file. */
export interface Place {
  label: string;
  split?: Split;
}

export interface FolderLayout {
  kind: 'class_folders' | 'split_folders';
  root: string;
  /** One for each path given, in the same order. */
  places: (Place | Refusal)[];
}

const NO_FOLDER: Refusal = {
  code: 'no_class_folder',
  reason: 'It lies in no class folder, while others do; the folder that holds a file is its label.',
};

/**
 * Read labels and splits from folders, as Hugging Face's `imagefolder` does:
 *  1. the label of a file is the folder that directly contains it;
 *  2. if, under a folder that all have in common, all lie in folders with the names of splits, those are splits;
 *  3. files that lie in the common folder itself, or directly in a split folder, have no class folder.
 * @throws AppError `no_labels` where no file lies in a class folder; `ambiguous_layout` where two folders would give
 * the same label.
 */
export function readClassFolders(names: string[], words: Modality['words']): FolderLayout {
  const paths = names.map((name) => normalise(name).split('/').slice(0, -1));
  const depth = splitDepth(paths, 1);
  const rootDepth = depth === undefined ? classRoot(paths) : depth + 1;
  const places = paths.map((path): Place | Refusal => {
    if (path.length <= rootDepth) return NO_FOLDER;
    const label = path.at(-1)!;
    return labelFault(label) ?? { label, ...(depth !== undefined && { split: splitNamed(path[depth]!) }) };
  });
  const placed = places.flatMap((place, i) => ('label' in place ? [{ ...place, path: paths[i]! }] : []));
  refuseUnlabelled(places, placed, words);
  refuseAmbiguity(placed, depth);
  const root =
    depth === undefined ? commonPrefix(placed.map(({ path }) => path.slice(0, -1))) : placed[0]!.path.slice(0, depth);
  return { kind: depth === undefined ? 'class_folders' : 'split_folders', root: root.join('/'), places };
}

/**
 * How deep the folder lies that holds all classes. Going down from the top: as long as all that lies deeper shares one
 * more folder, and something lies below that folder, it holds the classes rather than being one.
 */
function classRoot(paths: string[][]): number {
  let depth = 0;
  for (;;) {
    const deeper = paths.filter((path) => path.length > depth);
    const common = commonPrefix(deeper).length;
    if (common <= depth || !deeper.some((path) => path.length > common)) return depth;
    depth = common;
  }
}

function refuseUnlabelled(places: (Place | Refusal)[], placed: Place[], { one, many }: Modality['words']): void {
  const layouts =
    `Put the ${many} of each class into a folder named after it (cat/1, dog/2), with train, validation and test folders ` +
    'above if you have splits, or add a labels.csv with the columns file_name,label.';
  if (placed.length === 0) {
    const bad = places.find((place): place is Refusal => 'code' in place && place.code === 'bad_label');
    throw new AppError(
      'no_labels',
      bad ? `No ${one} has a usable label: ${bad.reason}` : `No folders of classes. ${layouts}`,
    );
  }
  const labels = [...new Set(placed.map(({ label }) => label))];
  if (labels.length > 1 && labels.every((label) => splitNamed(label) !== undefined)) {
    throw new AppError(
      'no_labels',
      `The folders ${labels.join(', ')} name splits, and no folders of classes lie in them. ${layouts}`,
    );
  }
}

/** The same label under two parents is either one class or two, and only the sender knows. */
function refuseAmbiguity(placed: (Place & { path: string[] })[], depth: number | undefined): void {
  const seen = new Map<string, { parent: string; path: string }>();
  for (const { label, path } of placed) {
    const parent = path.filter((_, i) => i !== depth && i < path.length - 1).join('/');
    const known = seen.get(label);
    if (known === undefined) seen.set(label, { parent, path: path.join('/') });
    else if (known.parent !== parent) {
      throw new AppError(
        'ambiguous_layout',
        `The folders ${JSON.stringify(known.path)} and ${JSON.stringify(path.join('/'))} would both be the class ` +
          `${JSON.stringify(label)}. Rename one, or add a labels.csv with the columns file_name,label.`,
        { details: { label, folders: [known.path, path.join('/')] } },
      );
    }
  }
}

/** Folders that all paths begin with. */
function commonPrefix(paths: string[][]): string[] {
  const first = paths[0] ?? [];
  let length = first.length;
  for (const path of paths) {
    let same = 0;
    while (same < length && path[same] === first[same]) same += 1;
    length = same;
  }
  return first.slice(0, length);
}
