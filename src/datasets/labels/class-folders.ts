import type { Modality } from '../../backbones/modality.js';
import { AppError } from '../../errors.js';
import type { Split } from '../../schemas/common.js';
import type { Refusal } from '../archives/archive.js';
import { labelFault, normalise, type Place } from './label.js';
import { nameSome } from './name-some.js';
import { joinCutLabels } from './join-cut-labels.js';
import { namesHint } from './labels-in-names.js';
import { findSplitFolders, type SplitFolders, withoutRepeated } from './split-folders.js';
import { splitNamed } from './split-names.js';

export interface FolderLayout {
  kind: 'class_folders' | 'split_folders';
  root: string;
  /** The folders that name splits. */
  splits?: Map<string, Split>;
  /** One for each path given, in the same order. */
  places: (Place | Refusal)[];
  warnings: string[];
}

export interface FolderInput {
  /** Paths of the files. */
  names: string[];
  words: Modality['words'];
  /** SHA-256 of each file: a folder of copies is then known as one. */
  digests?: string[];
  /** What the sender says of folders that name splits. */
  splits?: Record<string, Split>;
}

type Placed = Place & { path: string[]; digest?: string };

const NO_FOLDER: Refusal = {
  code: 'no_class_folder',
  reason: 'It lies in no class folder, while others do; the folder that holds a file is its label.',
};

/** Folders between a class and its files, as in Tiny ImageNet, and folders that are no class where they are the only one. */
const GENERIC = /^(images?|imgs?|photos?|pictures?|pics|jpe?gs?|pngs?|jpegimages|data|files)$/i;
/** A numbered part of a whole: `fold_1`, `images_001`. */
const PART = /(^|\/)(folds?|batch|part|chunk|shard|images?|img|group|kfold|cv)[\s._-]*\d+(?=\/|$)/gi;
/** Names by which tools mark what nobody has labelled. */
const UNLABELLED = /^(no[_ -]?labels?|un-?label+ed|not[_ -]label+ed)$/i;

/**
 * Read labels and splits from folders, as Hugging Face's `imagefolder` does:
 *  1. the label of a file is the folder that directly contains it;
 *  2. folders with the names of splits, side by side, are splits where classes lie in them;
 *  3. files in no class folder, and folders beside those of splits, are left out.
 * @throws AppError `no_labels` where no file lies in a class folder; `ambiguous_layout` where two folders would give
 * the same label.
 */
export function readClassFolders({ names, words, digests, splits }: FolderInput): FolderLayout {
  const folders = names.map((name) => normalise(name).split('/').slice(0, -1));
  const found = findSplitFolders(folders, splits);
  const paths = withoutGenericFolders(
    found ? folders.map((path) => withoutRepeated(path, found.parent.length)) : folders,
  );
  const rootDepth = found ? found.parent.length + 1 : classRoot(paths);
  const generic = found && genericOutsideTraining(paths, found, rootDepth);
  const places = paths.map((path): Place | Refusal => {
    const beside = found && besideSplits(path, found);
    if (beside) return beside;
    if (path.length <= rootDepth) return NO_FOLDER;
    const label = path.at(-1)!;
    if (UNLABELLED.test(label)) return { code: 'unlabelled', reason: `Its folder ${label} says that it has no label.` };
    const split = found?.splits.get(path[found.parent.length]!);
    if (split !== 'train' && generic?.has(label)) {
      return { code: 'unlabelled', reason: `Its folder ${label} is no class of the training part.` };
    }
    return labelFault(label) ?? { label, ...(split && { split }) };
  });
  const placed = places.flatMap((place, i): Placed[] =>
    'label' in place ? [{ ...place, path: paths[i]!, ...(digests && { digest: digests[i]! }) }] : [],
  );
  refuseUnlabelled(places, placed, { names, words });
  refuseHiddenClasses(places, paths, placed, digests);
  const numbered = refuseAmbiguity(placed, found?.parent.length);
  const root = found ? found.parent : commonPrefix(placed.map(({ path }) => path.slice(0, -1)));
  const joined = joinCutLabels(places);
  return {
    kind: found ? 'split_folders' : 'class_folders',
    root: root.join('/'),
    ...(found && { splits: found.splits }),
    places: joined.places,
    warnings: [
      ...leftOutWarnings(places, folders, words),
      ...depthWarnings(placed, rootDepth),
      ...numberedWarnings(numbered),
      ...joined.warnings,
    ],
  };
}

/** Take away the last folder where it is called `images` or the like below several others: those are the classes. */
function withoutGenericFolders(paths: string[][]): string[][] {
  const parents = new Set(
    paths.filter((path) => GENERIC.test(path.at(-1) ?? '')).map((path) => path.slice(0, -1).join('/')),
  );
  const classes = [...parents].filter((parent) => parent !== '' && splitNamed(parent.split('/').at(-1)!) === undefined);
  if (classes.length < 2) return paths;
  return paths.map((path) =>
    GENERIC.test(path.at(-1) ?? '') && classes.includes(path.slice(0, -1).join('/')) ? path.slice(0, -1) : path,
  );
}

/** Names such as `images` that stand below held-out splits only, while the training part has classes. */
function genericOutsideTraining(paths: string[][], { parent, splits }: SplitFolders, rootDepth: number): Set<string> {
  const labels = { train: new Set<string>(), held: new Set<string>() };
  for (const path of paths) {
    const split = splits.get(path[parent.length] ?? '');
    if (split && path.length > rootDepth) labels[split === 'train' ? 'train' : 'held'].add(path.at(-1)!);
  }
  if (labels.train.size < 2) return new Set();
  return new Set([...labels.held].filter((label) => GENERIC.test(label) && !labels.train.has(label)));
}

function besideSplits(path: string[], { parent, splits }: SplitFolders): Refusal | undefined {
  const inside = parent.every((folder, i) => i >= path.length || path[i] === folder);
  const folder = path[parent.length];
  if (inside && (folder === undefined || splits.has(folder))) return undefined;
  const where = path.join('/');
  const reason = `It lies in ${where === '' ? 'the top folder' : where}, beside the folders ${[...splits.keys()].join(', ')}.`;
  return { code: 'beside_splits', reason };
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

function refuseUnlabelled(
  places: (Place | Refusal)[],
  placed: Place[],
  { names, words }: Pick<FolderInput, 'names' | 'words'>,
) {
  const { one, many } = words;
  const layouts =
    `Put the ${many} of each class into a folder named after it (cat/1, dog/2), with train, validation and test folders ` +
    'above if you have splits, or add a labels.csv with the columns file_name,label.';
  const labels = [...new Set(placed.map(({ label }) => label))];
  const hint = namesHint(names);
  if (hint !== undefined && labels.every((label) => GENERIC.test(label)) && labels.length < 2) {
    throw new AppError('no_labels', `No folders of classes. ${hint} Or: ${layouts}`);
  }
  if (placed.length === 0) {
    const bad = places.find((place): place is Refusal => 'code' in place && place.code === 'bad_label');
    throw new AppError(
      'no_labels',
      bad ? `No ${one} has a usable label: ${bad.reason}` : `No folders of classes. ${layouts}`,
    );
  }
  if (labels.length > 1 && labels.every((label) => splitNamed(label) !== undefined)) {
    throw new AppError(
      'no_labels',
      `The folders ${labels.join(', ')} name splits, and no folders of classes lie in them. ${layouts}`,
    );
  }
}

/**
 * A folder beside the splits that holds their classes again may be left out only if all its files are copies: otherwise only
 * the sender knows what it is.
 */
function refuseHiddenClasses(
  places: (Place | Refusal)[],
  paths: string[][],
  placed: Placed[],
  digests?: string[],
): void {
  const labels = new Map(placed.map(({ label, path }) => [label, path.join('/')]));
  const known = new Set(placed.map(({ digest }) => digest));
  for (const [i, place] of places.entries()) {
    const label = paths[i]!.at(-1);
    if (!('code' in place) || place.code !== 'beside_splits' || label === undefined || !labels.has(label)) continue;
    if (digests && known.has(digests[i])) continue;
    throw ambiguous(label, [labels.get(label)!, paths[i]!.join('/')]);
  }
}

/**
 * The same label under two parents is either one class or two, and only the sender knows; parents that are numbered parts of
 * one whole, such as `fold_1` and `fold_2`, hold the same classes.
 * @returns those parts
 */
function refuseAmbiguity(placed: Placed[], depth: number | undefined): Set<string> {
  const seen = new Map<string, { parent: string; whole: string; path: string }>();
  const numbered = new Set<string>();
  for (const { label, path } of placed) {
    const parent = path.filter((_, i) => i !== depth && i < path.length - 1).join('/');
    const known = seen.get(label);
    const whole = parent.replace(PART, (_, before, word) => `${before}${word}`);
    if (known === undefined) seen.set(label, { parent, whole, path: path.join('/') });
    else if (known.parent !== parent) {
      if (known.whole !== whole) throw ambiguous(label, [known.path, path.join('/')]);
      numbered.add(known.parent).add(parent);
    }
  }
  return numbered;
}

function numberedWarnings(parts: Set<string>): string[] {
  if (parts.size === 0) return [];
  return [`The folders ${nameSome([...parts])} hold the same classes, and their files were joined.`];
}

function ambiguous(label: string, folders: [string, string]): AppError {
  return new AppError(
    'ambiguous_layout',
    `The folders ${JSON.stringify(folders[0])} and ${JSON.stringify(folders[1])} would both be the class ` +
      `${JSON.stringify(label)}. Rename one, or add a labels.csv with the columns file_name,label.`,
    { details: { label, folders } },
  );
}

/** What lies outside the classes, by folder. */
function leftOutWarnings(places: (Place | Refusal)[], folders: string[][], { many }: Modality['words']): string[] {
  const left = new Map<string, number>();
  for (const [i, place] of places.entries()) {
    if (!('code' in place) || !['beside_splits', 'no_class_folder', 'unlabelled'].includes(place.code)) continue;
    const folder = folders[i]!.join('/') || 'the top';
    left.set(folder, (left.get(folder) ?? 0) + 1);
  }
  if (left.size === 0) return [];
  const shown = nameSome([...left].map(([folder, count]) => `${folder} (${count})`));
  return [`Left out, since they lie in no class folder or have no label: ${many} in ${shown}.`];
}

/** One class cut into folders, or classes of their own: only the sender knows. */
function depthWarnings(placed: Placed[], rootDepth: number): string[] {
  const folders = new Map(placed.map(({ path }) => [path.slice(rootDepth).join('/'), path.length]));
  if (new Set(folders.values()).size < 2) return [];
  const deep = [...folders.keys()].filter((folder) => folder.includes('/'));
  return [
    `The class folders lie at different depths: ${nameSome(deep)}. The innermost folder was taken as the class. If the folder ` +
      'above is meant, move its files there.',
  ];
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
