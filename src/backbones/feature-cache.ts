import { createHash } from 'node:crypto';
import { mkdir, open as openFile, rm, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { open, type RootDatabase } from 'lmdb';
import { AppError, isErrno } from '../errors.js';
import { freeBytes } from '../storage/disk-space.js';

/** What features depend on. */
export interface FeatureKey {
  /** SHA-256 of the content. */
  content: string;
  /** SHA-256 of the backbone. */
  backbone: string;
  /** How content is made ready for it, as the backbone says. */
  recipe: string;
  /** Of a training example: JSON, or empty. */
  variation: string;
}

/**
 * Features of examples already seen, dense, float32, in an LMDB on this machine's disk. Any number of processes may share it.
 * A cache and nothing more: it may be deleted at any time; one whose header is damaged is.
 */
export class FeatureCache {
  readonly #database: RootDatabase<Buffer, Buffer>;
  readonly #path: string;
  readonly #spareBytes: number;
  /** A write failed: LMDB may end the process at the next one. */
  #broken = false;

  private constructor(database: RootDatabase<Buffer, Buffer>, path: string, spareBytes: number) {
    this.#database = database;
    this.#path = path;
    this.#spareBytes = spareBytes;
  }

  /** Take the cache away: what crashes a process when it is read must not crash the next. */
  static async remove(folder: string): Promise<void> {
    await rm(join(folder, 'features'), { recursive: true, force: true });
  }

  /** @param options spareBytes: what must stay free on its disk; for tests */
  static async open(options: { folder: string; maxBytes: number; spareBytes?: number }): Promise<FeatureCache> {
    const path = join(options.folder, 'features');
    await mkdir(path, { recursive: true });
    // Past its size the cache starts anew: examples in use come back in one pass, and no bookkeeping is needed per read.
    const file = join(path, 'data.mdb');
    const size = await stat(file).catch(() => undefined);
    if ((size && size.size > options.maxBytes) || (await isDamaged(file))) {
      await rm(path, { recursive: true, force: true });
    }
    outliveFailedCommits();
    const database = open<Buffer, Buffer>({ path, encoding: 'binary', keyEncoding: 'binary', maxReaders: 126 });
    return new FeatureCache(database, path, options.spareBytes ?? SPARE_BYTES);
  }

  /** @returns features `[D]`, or undefined */
  get(key: FeatureKey, dimensions: number): Float32Array | undefined {
    const features = new Float32Array(dimensions);
    return this.read(key, features) ? features : undefined;
  }

  /** Read features to where they are needed: of many, memory in between is as much again. @returns whether they are here */
  read(key: FeatureKey, out: Float32Array): boolean {
    // Valid until the next read alone, and not longer needed.
    const found = this.#database.getBinaryFast(digest(key));
    if (found === undefined || found.length !== out.byteLength) return false;
    new Uint8Array(out.buffer, out.byteOffset, out.byteLength).set(found.subarray(0, out.byteLength));
    return true;
  }

  /**
   * Store a batch in one transaction. Resolves when it is on disk. On a full disk LMDB ends the process: so room is looked for
   * first, and after a write that failed all the same nothing more is written.
   * @throws AppError `storage_full`
   */
  async putAll(entries: { key: FeatureKey; features: Float32Array }[]): Promise<void> {
    const bytes = entries.reduce((sum, { features }) => sum + features.byteLength, 0);
    if (this.#broken || (await freeBytes(this.#path)) < this.#spareBytes + 4 * bytes) throw noRoom(this.#path);
    try {
      await this.#write(entries);
    } catch (error) {
      this.#broken = true;
      throw noRoom(this.#path, error);
    }
  }

  async #write(entries: { key: FeatureKey; features: Float32Array }[]): Promise<void> {
    const puts: Promise<boolean>[] = [];
    await this.#database.batch(() => {
      for (const { key, features } of entries) {
        const bytes = Buffer.from(features.buffer, features.byteOffset, features.byteLength);
        puts.push(this.#database.put(digest(key), bytes));
      }
    });
    await Promise.all(puts);
  }

  /** After a write that failed LMDB does not close, and the process ends soon. */
  async close(): Promise<void> {
    if (!this.#broken) await this.#database.close();
  }
}

/** What must stay free beside a batch, which LMDB may write several times over: pages of its tree. */
const SPARE_BYTES = 64 * 1024 * 1024;

/** LMDB rejects promises of its own when a commit fails, which nobody can await: they would end the process. */
function outliveFailedCommits(): void {
  if (outliving) return;
  outliving = true;
  process.on('unhandledRejection', (reason) => {
    if (!(reason instanceof Error && reason.stack?.includes(`${sep}lmdb${sep}`))) throw reason;
  });
}

let outliving = false;

function noRoom(path: string, cause?: unknown): AppError {
  const message = `The disk of the feature cache ${path} is full. Free some space, or set CACHE_DIR to another disk.`;
  return new AppError('storage_full', message, { cause });
}

/** Where LMDB's two header pages hold their magic number, and the first the size of a page. */
const MAGIC = 0xbeefc0de;
const MAGIC_AT = 24;
const PAGE_SIZE_AT = 48;

/** Whether the header is not LMDB's: opening such a file ends the process (SIGSEGV) instead of throwing. */
async function isDamaged(path: string): Promise<boolean> {
  try {
    const file = await openFile(path, 'r');
    try {
      const header = Buffer.alloc(64);
      const { bytesRead } = await file.read(header, 0, header.length, 0);
      if (bytesRead === 0) return false; // just made
      if (bytesRead < header.length || header.readUInt32LE(MAGIC_AT) !== MAGIC) return true;
      const second = Buffer.alloc(4);
      await file.read(second, 0, 4, header.readUInt32LE(PAGE_SIZE_AT) + MAGIC_AT);
      return second.readUInt32LE(0) !== MAGIC;
    } finally {
      await file.close();
    }
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return false;
    throw error;
  }
}

function digest({ content, backbone, recipe, variation }: FeatureKey): Buffer {
  return createHash('sha256').update(`${recipe}\n${content}\n${backbone}\n${variation}`).digest();
}
