import type { Split } from '../../schemas/common.js';

const SPLITS = new Map<string, Split>([
  ['train', 'train'],
  ['training', 'train'],
  ['val', 'validation'],
  ['valid', 'validation'],
  ['validation', 'validation'],
  ['validate', 'validation'],
  ['dev', 'validation'],
  ['test', 'test'],
  ['testing', 'test'],
  ['eval', 'test'],
]);

/** The split that a folder or a column means, in any case; undefined for other words. */
export function splitNamed(word: string): Split | undefined {
  return SPLITS.get(word.toLowerCase());
}

/**
 * The split that a part of a name means, and what is left of the name: `seg_train`, `test-images`. Undefined where no part, or
 * more than one, is a split's name.
 */
export function splitWithin(name: string): { split: Split; rest: string } | undefined {
  const parts = name.split(/[\s._-]+/);
  const named = parts.filter((part) => splitNamed(part) !== undefined);
  if (named.length !== 1) return undefined;
  return { split: splitNamed(named[0]!)!, rest: parts.filter((part) => part !== named[0]).join(' ') };
}

/** The split that the name of a file means: `train.csv` and `val_annotations.txt` */
export function splitOfFile(path: string): Split | undefined {
  const name = path.split('/').at(-1)!;
  return splitWithin(name.replace(/\.[^.]*$/, ''))?.split;
}

/**
 * How deep the folders lie that name splits: all paths share what is above, and at this depth every one that goes so deep
 * has a split name. A lone folder counts only if it is for training: who packs just a `test` folder has no splits.
 * @param paths the folders of each file.
 * @param below folders that must follow somewhere below the split folder.
 */
export function splitDepth(paths: string[][], below: number): number | undefined {
  for (let depth = 0; paths.some((path) => path.length > depth + below); depth += 1) {
    const names = [...new Set(paths.filter((path) => path.length > depth).map((path) => path[depth]!))];
    const splits = names.map(splitNamed);
    if (!splits.includes(undefined) && (names.length > 1 || splits[0] === 'train')) return depth;
    if (names.length > 1) return undefined;
  }
  return undefined;
}
