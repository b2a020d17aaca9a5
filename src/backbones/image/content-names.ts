/** Endings of files that are no image. */
const OTHERS = new Set(
  (
    'txt md rst json jsonl ndjson csv tsv xml yaml yml toml ini cfg conf html htm css js ts py ipynb r m sh bat cmd ' +
    'log doc docx odt rtf pdf xls xlsx ods ppt pptx db sqlite sql parquet arrow pkl npy npz mat h5 hdf5 onnx pt pth pb ' +
    'tfrecord safetensors exe dll so dylib class bin mp3 wav ogg flac mp4 mov avi mkv webm m4v url lnk license'
  ).split(' '),
);

/** Whether a file of this name may be an image. Its bytes decide then, whatever its ending. */
export function mayBeImage(name: string): boolean {
  const file = name.slice(name.lastIndexOf('/') + 1).toLowerCase();
  return !OTHERS.has(file.slice(file.lastIndexOf('.') + 1));
}
