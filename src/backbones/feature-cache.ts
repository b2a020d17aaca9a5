import { createHash } from 'node:crypto';
import { mkdir, open as openFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { open, type RootDatabase } from 'lmdb';
import { isErrno } from '../errors.js';

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

  private constructor(database: RootDatabase<Buffer, Buffer>) {
    this.#database = database;
  }

  /** Take the cache away: what crashes a process when it is read must not crash the next. */
  static async remove(folder: string): Promise<void> {
    await rm(join(folder, 'features'), { recursive: true, force: true });
  }

  static async open(options: { folder: string; maxBytes: number }): Promise<FeatureCache> {
    const path = join(options.folder, 'features');
    await mkdir(path, { recursive: true });
    // Past its size the cache starts anew: examples in use come back in one pass, and no bookkeeping is needed per read.
    const file = join(path, 'data.mdb');
    const size = await stat(file).catch(() => undefined);
    if ((size && size.size > options.maxBytes) || (await isDamaged(file))) {
      await rm(path, { recursive: true, force: true });
    }
    return new FeatureCache(open<Buffer, Buffer>({ path, encoding: 'binary', keyEncoding: 'binary', maxReaders: 126 }));
  }

  /** @returns features `[D]`, or undefined */
  get(key: FeatureKey, dimensions: number): Float32Array | undefined {
    const found = this.#database.getBinary(digest(key));
    if (found === undefined || found.byteLength !== dimensions * 4) return undefined;
    const features = new Float32Array(dimensions);
    new Uint8Array(features.buffer).set(found);
    return features;
  }

  /** Store a batch in one transaction. Resolves when it is on disk. */
  async putAll(entries: { key: FeatureKey; features: Float32Array }[]): Promise<void> {
    const puts: Promise<boolean>[] = [];
    await this.#database.batch(() => {
      for (const { key, features } of entries) {
        const bytes = Buffer.from(features.buffer, features.byteOffset, features.byteLength);
        puts.push(this.#database.put(digest(key), bytes));
      }
    });
    await Promise.all(puts);
  }

  async close(): Promise<void> {
    await this.#database.close();
  }
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
