/**
 * demo/ drives a service from photos to predictions, over HTTP like anybody else, and shows it in the terminal.
 * This file: photos on disk, as a folder or as an archive.
 */
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join, relative, sep } from 'node:path';
import { recogniseFormat } from '../datasets/archives/archive-format.js';
import { readArchive } from '../datasets/archives/read-archive.js';
import { entryKind } from '../datasets/entry-kind.js';
import { AppError, isErrno } from '../errors.js';

export interface Photo {
  /** Path inside the archive. */
  name: string;
  read(): Promise<Buffer>;
}

export interface PhotoSourceOptions {
  /** By its name; its bytes are not read. */
  mayBePhoto: (name: string) => boolean;
}

export interface PhotoSource {
  /** Name of the archive. */
  name: string;
  /** Its files that may be photos. */
  photos(): AsyncGenerator<Photo>;
}

/** @throws AppError `not_found` where there is nothing, `archive_empty` for an empty folder. */
export async function photoSource(path: string, { mayBePhoto }: PhotoSourceOptions): Promise<PhotoSource> {
  const found = await stat(path).catch((error: unknown) => {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) throw new AppError('not_found', `There is no file or folder ${path}.`);
    throw error;
  });
  return found.isDirectory() ? folderSource(path, mayBePhoto) : archiveSource(path, mayBePhoto);
}

interface FolderFile {
  path: string;
  name: string;
}

async function folderSource(folder: string, mayBePhoto: PhotoSourceOptions['mayBePhoto']): Promise<PhotoSource> {
  const files = await filesIn(folder);
  if (files.length === 0) throw new AppError('archive_empty', `The folder ${folder} holds no files.`);
  return {
    name: `${basename(folder)}.tar`,
    async *photos() {
      for (const { name, path } of files) {
        if (entryKind(name) === 'file' && mayBePhoto(name)) yield { name, read: () => readFile(path) };
      }
    },
  };
}

async function filesIn(folder: string): Promise<FolderFile[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files: FolderFile[] = [];
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath ?? entry.path, entry.name);
    files.push({ path, name: relative(folder, path).split(sep).join('/') });
  }
  return files.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function archiveSource(path: string, mayBePhoto: PhotoSourceOptions['mayBePhoto']): PhotoSource {
  return {
    name: basename(path),
    async *photos() {
      const limits = { maxEntries: 1_000_000, maxRatio: 1000 };
      for await (const { name, refusal, read } of readArchive(path, await recogniseFormat(path), limits)) {
        if (refusal || entryKind(name) !== 'file' || !mayBePhoto(name)) continue;
        yield {
          name,
          async read() {
            const photo = await read();
            if (!Buffer.isBuffer(photo)) throw new AppError('content_invalid', photo.reason);
            return photo;
          },
        };
      }
    },
  };
}
