import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { PACKAGE_ROOT } from '../../src/config.js';

/** Folder of real weights and data sets, beside the package; not part of it. `GRAFT_SHARED` names another. */
export const SHARED = process.env.GRAFT_SHARED ?? resolve(PACKAGE_ROOT, '..', 'shared');

/** Options for `t.test`: skip, and say so, where a file of the shared folder is missing. */
export function needs(...path: string[]): { skip: string | false } {
  const file = join(SHARED, ...path);
  return { skip: existsSync(file) ? false : `${file} is not here` };
}

/** A shared file of float32 values. */
export function sharedFloats(...path: string[]): Float32Array {
  const bytes = readFileSync(join(SHARED, ...path));
  return new Float32Array(new Uint8Array(bytes).buffer);
}

/** A shared file of bytes: pixels. */
export function sharedBytes(...path: string[]): Uint8Array {
  return new Uint8Array(readFileSync(join(SHARED, ...path)));
}

/** Folders of `bad-inputs` whose files are meant as archives. */
export const ARCHIVE_CORPORA = [
  'yauzl-failure',
  'yauzl-success',
  'decompress-slip',
  'snyk-zip-slip',
  'overlap-zip-bomb',
  'node-tar-fixtures',
  'go-fuzz-corpus/zip',
  'go-fuzz-corpus/tar',
  'go-fuzz-corpus/gzip',
];
