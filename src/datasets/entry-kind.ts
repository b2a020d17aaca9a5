/** What an entry is, as far as its name can say whatever the content; `file`: the modality judges on. */
export type EntryKind = 'junk' | 'labels_file' | 'archive' | 'hidden' | 'file';

/** Files that operating systems leave in folders. */
const JUNK = new Set(['.ds_store', 'thumbs.db', 'ehthumbs.db', 'desktop.ini']);
const LABELS_FILES = new Set(['labels.csv', 'metadata.csv', 'metadata.jsonl']);
const ARCHIVES = new Set('zip tar gz tgz bz2 tbz tbz2 xz txz zst lz4 7z rar jar'.split(' '));

/** Judge a path. */
export function entryKind(name: string): EntryKind {
  const segments = name.split('/');
  const file = segments.at(-1)!.toLowerCase();
  // `._x` is AppleDouble: the resource fork of `x`.
  if (JUNK.has(file) || file.startsWith('._') || segments.includes('__MACOSX')) return 'junk';
  if (LABELS_FILES.has(file)) return 'labels_file';
  const dot = file.lastIndexOf('.');
  if (ARCHIVES.has(file.slice(dot + 1))) return 'archive';
  // A file such as `.gitkeep` has no ending: all of it is a hidden name.
  return dot === 0 ? 'hidden' : 'file';
}
