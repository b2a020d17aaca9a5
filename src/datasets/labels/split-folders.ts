import type { Split } from '../../schemas/common.js';
import { splitNamed, splitWithin } from './split-names.js';

/** Folders that name splits, side by side in one folder. */
export interface SplitFolders {
  /** The folder that holds them. */
  parent: string[];
  splits: Map<string, Split>;
}

/** Files of one folder: those in a folder below it, where a class may be, and those in it. */
interface Child {
  deep: number;
  flat: number;
}

/**
 * Find the folders that name splits: `train`, `val`, `test` in any case, or names that differ by such a word alone, such as
 * `seg_train` and `seg_test`. Classes must lie in them. A lone folder counts only if it is for training: who packs just a
 * `test` folder has no splits. Of several places the one with the most files counts.
 * @param paths the folders of each file
 * @param given what the sender says of folders by name
 */
export function findSplitFolders(paths: string[][], given?: Record<string, Split>): SplitFolders | undefined {
  let best: (SplitFolders & { files: number }) | undefined;
  for (const [parent, children] of foldersWithin(paths)) {
    const splits = given ? givenSplits(children, given) : (exactSplits(children) ?? alikeSplits(children));
    if (!splits) continue;
    const files = [...splits.keys()].reduce(
      (sum, name) => sum + children.get(name)!.deep + children.get(name)!.flat,
      0,
    );
    if (!best || files > best.files) best = { parent: parent === '' ? [] : parent.split('/'), splits, files };
  }
  // Where more lies beside them than in them, they are something else.
  return best && (given || best.files * 2 >= paths.length) ? { parent: best.parent, splits: best.splits } : undefined;
}

/** Where the folder of a path that names its split repeats, as Kaggle packs it, it is no folder of its own. */
export function withoutRepeated(path: string[], depth: number): string[] {
  return path[depth + 1] === path[depth] ? path.toSpliced(depth + 1, 1) : path;
}

/** The folders in each folder. */
function foldersWithin(paths: string[][]): Map<string, Map<string, Child>> {
  const folders = new Map<string, Map<string, Child>>();
  for (const path of paths) {
    for (let depth = 0; depth < path.length; depth += 1) {
      const parent = path.slice(0, depth).join('/');
      const children = folders.get(parent) ?? new Map<string, Child>();
      folders.set(parent, children);
      const name = path[depth]!;
      const child = children.get(name) ?? { deep: 0, flat: 0 };
      children.set(name, child);
      if (withoutRepeated(path, depth).length > depth + 1) child.deep += 1;
      else child.flat += 1;
    }
  }
  return folders;
}

function givenSplits(children: Map<string, Child>, given: Record<string, Split>): Map<string, Split> | undefined {
  const splits = [...children.keys()].filter((name) => Object.hasOwn(given, name));
  return splits.length === 0 ? undefined : new Map(splits.map((name) => [name, given[name]!]));
}

function exactSplits(children: Map<string, Child>): Map<string, Split> | undefined {
  const named = [...children].flatMap(([name, child]) => {
    const split = splitNamed(name);
    return split ? [{ name, split, child }] : [];
  });
  const withClasses = new Set(named.filter(({ child }) => child.deep > 0).map(({ split }) => split));
  if (withClasses.size < 2 && !withClasses.has('train')) return undefined;
  return new Map(named.map(({ name, split }) => [name, split]));
}

function alikeSplits(children: Map<string, Child>): Map<string, Split> | undefined {
  const groups = new Map<string, { name: string; child: Child; split: Split }[]>();
  for (const [name, child] of children) {
    const within = splitWithin(name);
    if (within) groups.set(within.rest, [...(groups.get(within.rest) ?? []), { name, child, split: within.split }]);
  }
  for (const group of groups.values()) {
    const training = group.some(({ split, child }) => split === 'train' && child.deep > 0);
    if (training && new Set(group.map(({ split }) => split)).size > 1) {
      return new Map(group.map(({ name, split }) => [name, split]));
    }
  }
  return undefined;
}
