/** What was dropped, chosen or pasted: which files, and whether their folders say what is on them. */

/** A file with its path, as its folder gives it. */
export interface PickedFile {
  name: string;
  content: File;
}

/** What is sent: an archive, or files that become one. */
export interface Sending {
  name: string;
  archive: boolean;
  files: PickedFile[];
}

export type Picked =
  | { kind: 'archive'; name: string; file: File }
  /** A folder for each class, or a table: the service finds out. */
  | { kind: 'folders'; name: string; files: PickedFile[] }
  /** Photos of which nobody says what they are. */
  | { kind: 'photos'; name: string; files: PickedFile[] }
  | { kind: 'nothing'; files: number }
  | { kind: 'too_many'; most: number };

/** More would not fit into the memory of a tab, nor would anybody wait for it. */
export const MAX_FILES = 50_000;
/** Files that are opened at once. */
const AT_ONCE = 100;
const ARCHIVE = /\.(zip|tar|tgz|tar\.gz|tar\.zst)$/i;
const PHOTO = /\.(jpe?g|jfif|png|webp|gif|tiff?|avif|bmp|p[pgn]m)$/i;
const TABLE = /\.(csv|tsv|jsonl|json|txt)$/i;
const JUNK = /(^|\/)(\.DS_Store|Thumbs\.db|desktop\.ini|__MACOSX\/.*|\._[^/]*)$/i;

/** Whether a file may be a photo; the service has the last word. */
export function mayBePhoto({ name, type }: Pick<File, 'name' | 'type'>): boolean {
  return type.startsWith('image/') || PHOTO.test(name);
}

/** Read what was dropped; folders to their ends. @param onCount told how many files there are so far */
export async function pickedFrom(transfer: DataTransfer, onCount?: (files: number) => void): Promise<Picked> {
  // All entries at once: after the first wait the transfer is empty.
  const items = [...transfer.items].filter(({ kind }) => kind === 'file');
  const entries = items.map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  if (entries.length === 0) return understand([...transfer.files].map((file) => ({ name: file.name, content: file })));
  const found: FileSystemFileEntry[] = [];
  try {
    for (const entry of entries) await walk(entry, found, onCount);
  } catch (error) {
    if (error instanceof TooMany) return { kind: 'too_many', most: MAX_FILES };
    throw error;
  }
  const files: PickedFile[] = [];
  for (let start = 0; start < found.length; start += AT_ONCE) {
    files.push(...(await Promise.all(found.slice(start, start + AT_ONCE).map(fileOf))));
  }
  return understand(files);
}

/** From an `<input type="file">`, with folders where it chooses one. */
export function pickedFromInput(list: FileList | File[]): Picked {
  if (list.length > MAX_FILES) return { kind: 'too_many', most: MAX_FILES };
  return understand([...list].map((file) => ({ name: file.webkitRelativePath || file.name, content: file })));
}

class TooMany extends Error {}

/** Find the files below an entry; none is opened. @throws TooMany */
async function walk(
  entry: FileSystemEntry,
  into: FileSystemFileEntry[],
  onCount?: (files: number) => void,
): Promise<void> {
  if (JUNK.test(entry.fullPath)) return;
  if (entry.isFile) {
    if (into.length === MAX_FILES) throw new TooMany();
    into.push(entry as FileSystemFileEntry);
    if (into.length % 1000 === 0) onCount?.(into.length);
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) {
    // At most a hundred each time.
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return;
    for (const inner of some) await walk(inner, into, onCount);
  }
}

async function fileOf(entry: FileSystemFileEntry): Promise<PickedFile> {
  const content = await new Promise<File>((resolve, reject) => entry.file(resolve, reject));
  return { name: entry.fullPath.replace(/^\//, ''), content };
}

function understand(all: PickedFile[]): Picked {
  const files = all.filter(({ name }) => !JUNK.test(name));
  const [first] = files;
  if (!first) return { kind: 'nothing', files: all.length };
  if (files.length === 1 && ARCHIVE.test(first.name)) return { kind: 'archive', name: first.name, file: first.content };
  const photos = files.filter(({ content }) => mayBePhoto(content));
  const hasTable = files.some(({ name }) => TABLE.test(name));
  const folders = new Set(photos.map(({ name }) => name.split('/').slice(0, -1).join('/')));
  const top = first.name.includes('/') ? first.name.split('/')[0]! : '';
  const name = files.every((file) => file.name.startsWith(`${top}/`)) ? top : '';
  if (photos.length === 0) {
    return files.length === 1 && !hasTable
      ? { kind: 'archive', name: first.name, file: first.content }
      : { kind: 'nothing', files: files.length };
  }
  if (folders.size > 1 || hasTable) return { kind: 'folders', name, files };
  return { kind: 'photos', name: [...folders][0]!.split('/').at(-1) ?? '', files: photos };
}
