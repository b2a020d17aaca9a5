import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { AppError, isErrno } from '../errors.js';

/** A half-written copy that nothing was added to for so long was left by a process that died. */
const LEFT_BEHIND_MS = 3600_000;
const SHA256 = /^[0-9a-f]{64}$/;

/**
 * Copies of stored files on this machine, `<folder>/<sha256>`. Any number of processes may share the folder: each writes to
 * a name of its own and renames it. The folder may be deleted at any time.
 */
export class LocalCopies {
  readonly #folder: string;

  constructor(options: { folder: string }) {
    this.#folder = options.folder;
  }

  /**
   * Path of the copy, which has this digest. It is fetched where it is missing or damaged.
   * @param open gives the stored file, or undefined where there is none
   * @returns undefined where there is neither a copy nor a stored file
   * @throws AppError `backbone_invalid` where the stored file has another digest, `storage_full`
   */
  async path(sha256: string, open: () => Promise<Readable | undefined>): Promise<string | undefined> {
    const path = join(this.#folder, sha256);
    if ((await digestOf(path)) === sha256) return path;
    const stored = await open();
    if (!stored) return undefined;
    const temporary = join(this.#folder, `.${sha256}-${randomBytes(6).toString('hex')}`);
    const hash = createHash('sha256');
    const hashed = new Transform({
      transform(piece: Buffer, _encoding, done) {
        hash.update(piece);
        done(null, piece);
      },
    });
    try {
      await mkdir(this.#folder, { recursive: true });
      await this.#removeLeftBehind();
      await pipeline(stored, hashed, createWriteStream(temporary, { flags: 'wx' }));
      const found = hash.digest('hex');
      if (found !== sha256) {
        throw new AppError(
          'backbone_invalid',
          `A backbone's file in storage is damaged: its sha256 is ${found} instead of ${sha256}. Remove the backbone and install it again, or restore it from a backup.`,
        );
      }
      await rename(temporary, path);
      return path;
    } catch (error) {
      stored.destroy();
      if (!isErrno(error, 'ENOSPC', 'EDQUOT')) throw error;
      throw new AppError('storage_full', `The disk of ${this.#folder} is full. Free some space and try again.`, {
        cause: error,
      });
    } finally {
      await rm(temporary, { force: true });
    }
  }

  async forget(sha256: string): Promise<void> {
    if (SHA256.test(sha256)) await rm(join(this.#folder, sha256), { force: true });
  }

  async #removeLeftBehind(): Promise<void> {
    for (const name of await readdir(this.#folder)) {
      if (!name.startsWith('.')) continue;
      const found = await stat(join(this.#folder, name)).catch(() => undefined);
      if (found && Date.now() - found.mtimeMs > LEFT_BEHIND_MS) await rm(join(this.#folder, name), { force: true });
    }
  }
}

/** undefined where there is no file */
async function digestOf(path: string): Promise<string | undefined> {
  const hash = createHash('sha256');
  try {
    await pipeline(createReadStream(path), hash);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
  return hash.digest('hex');
}
