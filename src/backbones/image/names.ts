/** Endings of files that are no images. What may be one is judged by its bytes, whatever its ending. */
const NOT_IMAGES = new Set(
  (
    'txt md rst json jsonl ndjson csv tsv xml yaml yml toml ini cfg conf html htm css js ts py ipynb r m sh bat cmd ' +
    'log doc docx odt rtf pdf xls xlsx ods ppt pptx db sqlite sql parquet arrow pkl npy npz mat h5 hdf5 onnx pt pth pb ' +
    'tfrecord safetensors exe dll so dylib class bin mp3 wav ogg flac mp4 mov avi mkv webm m4v url lnk license'
  ).split(' '),
);

/** Whether a file of this name may be an image; a path is judged by its last part. */
export function mayBeImage(name: string): boolean {
  const file = name.slice(name.lastIndexOf('/') + 1).toLowerCase();
  const dot = file.lastIndexOf('.');
  // A file such as `.gitkeep` has no ending: all of it is a hidden name.
  return dot !== 0 && !NOT_IMAGES.has(file.slice(dot + 1));
}
