/** What an entry is, as far as its name can say. */
export type EntryKind = 'junk' | 'labels_file' | 'archive' | 'not_an_image' | 'candidate';

/** Files that operating systems leave in folders. */
const JUNK = new Set(['.ds_store', 'thumbs.db', 'ehthumbs.db', 'desktop.ini']);
const LABELS_FILES = new Set(['labels.csv', 'metadata.csv', 'metadata.jsonl']);
const ARCHIVES = words('zip tar gz tgz bz2 tbz tbz2 xz txz zst lz4 7z rar jar');
const NOT_IMAGES = words(
  'txt md rst json jsonl ndjson csv tsv xml yaml yml toml ini cfg conf html htm css js ts py ipynb r m sh bat cmd ' +
    'log doc docx odt rtf pdf xls xlsx ods ppt pptx db sqlite sql parquet arrow pkl npy npz mat h5 hdf5 onnx pt pth pb ' +
    'tfrecord safetensors exe dll so dylib class bin mp3 wav ogg flac mp4 mov avi mkv webm m4v url lnk license',
);

/** Judge a path. What may be an image is judged by its bytes, whatever its ending. */
export function entryKind(name: string): EntryKind {
  const segments = name.split('/');
  const file = segments.at(-1)!.toLowerCase();
  // `._x` is AppleDouble: the resource fork of `x`.
  if (JUNK.has(file) || file.startsWith('._') || segments.includes('__MACOSX')) return 'junk';
  if (LABELS_FILES.has(file)) return 'labels_file';
  const ending = file.slice(file.lastIndexOf('.') + 1);
  if (ARCHIVES.has(ending)) return 'archive';
  // A file such as `.gitkeep` has no ending: all of it is a hidden name.
  if (NOT_IMAGES.has(ending) || file.lastIndexOf('.') === 0) return 'not_an_image';
  return 'candidate';
}

function words(list: string): Set<string> {
  return new Set(list.split(' '));
}
