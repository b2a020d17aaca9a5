import { type TarFile, tarOf } from './tar.js';

/**
 * What can be sent: bytes; a File or Blob; files with paths, which become an archive; in Node also the path of a file, or of a
 * folder, which becomes an archive; a stream, which is read whole first, for it cannot be sent again.
 */
export type Source =
  | string
  | Blob
  | ArrayBuffer
  | Uint8Array
  | ReadableStream<Uint8Array>
  | AsyncIterable<Uint8Array>
  | TarFile[];

/** A source that can be sent, again and again. */
export interface Content {
  body: Blob;
  /** Name of the file, if it has one. */
  name: string | undefined;
}

/** @throws TypeError for what is no source, such as an empty folder; Node's error for a path that is not there */
export async function contentOf(source: Source): Promise<Content> {
  if (typeof source === 'string') return fromPath(source);
  if (source instanceof Blob) return { body: source, name: (source as Blob & { name?: string }).name };
  if (source instanceof ArrayBuffer || source instanceof Uint8Array) {
    return { body: new Blob([source as Uint8Array<ArrayBuffer>]), name: undefined };
  }
  if (Array.isArray(source)) {
    if (source.length === 0) throw new TypeError('There are no files to send.');
    return { body: tarOf(source), name: undefined };
  }
  if (source instanceof ReadableStream) return { body: await new Response(source).blob(), name: undefined };
  if (Symbol.asyncIterator in source) {
    const parts: Uint8Array<ArrayBuffer>[] = [];
    for await (const part of source) parts.push(part as Uint8Array<ArrayBuffer>);
    return { body: new Blob(parts), name: undefined };
  }
  throw new TypeError('This cannot be sent. Give a path, a File, a Blob, bytes, a stream or a list of files.');
}

/** Files on disk are opened and not read: they go out as the service takes them. */
async function fromPath(path: string): Promise<Content> {
  const [fs, files, paths] = await Promise.all([import('node:fs'), import('node:fs/promises'), import('node:path')]);
  const name = paths.basename(paths.resolve(path));
  if (!(await files.stat(path)).isDirectory()) return { body: await fs.openAsBlob(path), name };
  const found: TarFile[] = [];
  for (const entry of await files.readdir(path, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = paths.join(entry.parentPath ?? entry.path, entry.name);
    const inside = paths.relative(path, file).split(paths.sep).join('/');
    found.push({ name: inside, content: await fs.openAsBlob(file) });
  }
  if (found.length === 0) throw new TypeError(`The folder ${path} holds no files.`);
  return { body: tarOf(found.sort((a, b) => (a.name < b.name ? -1 : 1))), name: `${name}.tar` };
}
