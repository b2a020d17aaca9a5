import { normalise } from './label.js';

/** How a table wrote the file that was found: with its path, with other folders, or without ending or in another spelling. */
export type FoundBy = 'path' | 'tail' | 'name';
export type FoundPath = { path: string; by: FoundBy } | 'none' | 'several';

/** Longest end of a path, in segments, by which a file is found. */
const TAIL_SEGMENTS = 3;

/** What Label Studio puts before a file's name. */
const UPLOAD_HASH = /^[0-9a-f]{8}-(?=.)/;

/**
 * Finds the files that a table means. People write paths of another machine, names without folder, and ids without ending:
 * the longest end of what they wrote decides, if it fits one file alone.
 */
export class PathIndex {
  readonly #paths: Set<string>;
  /** Ends of paths, in small letters; undefined as a value: several files have it. */
  readonly #tails = new Map<string, string | undefined>();
  #stems: Map<string, string | undefined> | undefined;

  /** @param paths of all files of the archive, in Unicode form NFC */
  constructor(paths: ReadonlySet<string>) {
    this.#paths = new Set(paths);
    for (const path of paths) for (const tail of tailsOf(path)) note(this.#tails, tail, path);
  }

  /**
   * @param written as the table has it
   * @param folder of the table
   */
  find(written: string, folder: string): FoundPath {
    const segments = segmentsOf(written);
    if (segments.length === 0) return 'none';
    const wanted = segments.join('/');
    const beside = resolve(folder, segments);
    for (const path of [beside, wanted]) {
      if (path !== undefined && this.#paths.has(path)) return { path, by: path === beside ? 'path' : 'tail' };
    }
    const base = segments.at(-1)!.replace(UPLOAD_HASH, '');
    const byTail = longest(this.#tails, wanted) ?? longest(this.#tails, base);
    if (byTail) return byTail === 'several' ? byTail : { path: byTail.path, by: 'tail' };
    this.#stems ??= stemsOf(this.#paths);
    const byStem = longest(this.#stems, wanted) ?? longest(this.#stems, withoutEnding(wanted));
    if (byStem === undefined) return 'none';
    return byStem === 'several' ? byStem : { path: byStem.path, by: 'name' };
  }
}

function stemsOf(paths: Iterable<string>): Map<string, string | undefined> {
  const stems = new Map<string, string | undefined>();
  for (const path of paths) for (const tail of tailsOf(withoutEnding(path))) note(stems, tail, path);
  return stems;
}

function note(map: Map<string, string | undefined>, key: string, path: string): void {
  const other = map.has(key) && map.get(key) !== path;
  map.set(key, other ? undefined : path);
}

/** The file with the longest of the ends of `path`. */
function longest(tails: Map<string, string | undefined>, path: string): { path: string } | 'several' | undefined {
  for (const tail of tailsOf(path)) {
    if (!tails.has(tail)) continue;
    const found = tails.get(tail);
    return found === undefined ? 'several' : { path: found };
  }
  return undefined;
}

/** Ends of a path in small letters, the longest first. */
function tailsOf(path: string): string[] {
  const segments = path.toLowerCase().split('/').slice(-TAIL_SEGMENTS);
  return segments.map((_, i) => segments.slice(i).join('/'));
}

/** The parts of a path as a table writes it: with backslashes, a scheme and a bucket, a leading `./`. */
function segmentsOf(written: string): string[] {
  const path = normalise(written.trim())
    .replaceAll('\\', '/')
    .replace(/^[a-z0-9+.-]+:\/+/i, '');
  return path.split('/').filter((segment) => segment !== '' && segment !== '.');
}

/** @returns undefined where the path leads out of the archive */
function resolve(folder: string, segments: string[]): string | undefined {
  const path = folder === '' ? [] : folder.split('/');
  for (const segment of segments) {
    if (segment !== '..') path.push(segment);
    else if (path.pop() === undefined) return undefined;
  }
  return path.join('/');
}

function withoutEnding(path: string): string {
  return path.replace(/(?<=[^/])\.[^./]*$/, '');
}
