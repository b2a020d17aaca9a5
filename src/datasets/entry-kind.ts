/**
 * What an entry is, as far as its name can say whatever the content. `labels_file`: a table of labels by its name; `table`: it
 * may be one; `file`: the modality judges on.
 */
export type EntryKind = 'junk' | 'labels_file' | 'table' | 'archive' | 'hidden' | 'file';

/** Files that operating systems leave in folders. */
const JUNK = new Set(['.ds_store', 'thumbs.db', 'ehthumbs.db', 'desktop.ini']);
const LABELS_FILES = new Set(['labels.csv', 'metadata.csv', 'metadata.jsonl']);
/** Endings of tables, and of JSON that may name classes. */
const TABLES = new Set('csv tsv txt jsonl ndjson json'.split(' '));
/** Folders that tools and network drives keep beside people's own, in small letters; all whose names begin with a dot, too. */
const JUNK_FOLDERS = new Set(
  [
    '__MACOSX',
    '@eaDir',
    '$RECYCLE.BIN',
    'System Volume Information',
    'lost+found',
    '#recycle',
    '#snapshot',
    '__pycache__',
  ].map((name) => name.toLowerCase()),
);
const ARCHIVES = new Set('zip tar gz tgz bz2 tbz tbz2 xz txz zst lz4 7z rar jar'.split(' '));

/** Judge a path. */
export function entryKind(name: string): EntryKind {
  const segments = name.split('/');
  const file = segments.at(-1)!.toLowerCase();
  // `._x` is AppleDouble: the resource fork of `x`.
  if (JUNK.has(file) || file.startsWith('._') || segments.slice(0, -1).some(isJunkFolder)) return 'junk';
  if (LABELS_FILES.has(file)) return 'labels_file';
  const dot = file.lastIndexOf('.');
  if (ARCHIVES.has(file.slice(dot + 1))) return 'archive';
  if (dot > 0 && TABLES.has(file.slice(dot + 1))) return 'table';
  // A file such as `.gitkeep` has no ending: all of it is a hidden name.
  return dot === 0 ? 'hidden' : 'file';
}

function isJunkFolder(name: string): boolean {
  return (name.startsWith('.') && name.length > 1) || JUNK_FOLDERS.has(name.toLowerCase());
}
