import { createHash } from 'node:crypto';
import { mkdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { open, type RootDatabase } from 'lmdb';
import { PIXELS_VERSION } from './images.js';

/** What features depend on: the image's bytes, the backbone, and the variation of a training image (JSON, or empty). */
export interface FeatureKey {
  image: string;
  backbone: string;
  variation: string;
}

/**
 * Features of images already seen, float32, in an LMDB on this machine's disk. Any number of processes may share it.
 * A cache and nothing more: it may be deleted at any time, and a damaged one is.
 */
export class FeatureCache {
  readonly #database: RootDatabase<Buffer, Buffer>;

  private constructor(database: RootDatabase<Buffer, Buffer>) {
    this.#database = database;
  }

  static async open(options: { folder: string; maxBytes: number }): Promise<FeatureCache> {
    const path = join(options.folder, 'features');
    await mkdir(path, { recursive: true });
    // Past its size the cache starts anew: images in use come back in one pass, and no bookkeeping is needed per read.
    const size = await stat(join(path, 'data.mdb')).catch(() => undefined);
    if (size && size.size > options.maxBytes) await rm(path, { recursive: true, force: true });
    const settings = { path, encoding: 'binary', keyEncoding: 'binary', maxReaders: 126 } as const;
    try {
      return new FeatureCache(open<Buffer, Buffer>(settings));
    } catch {
      await rm(path, { recursive: true, force: true });
      return new FeatureCache(open<Buffer, Buffer>(settings));
    }
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
    await this.#database.batch(() => {
      for (const { key, features } of entries) {
        void this.#database.put(digest(key), Buffer.from(features.buffer, features.byteOffset, features.byteLength));
      }
    });
  }

  async close(): Promise<void> {
    await this.#database.close();
  }
}

function digest({ image, backbone, variation }: FeatureKey): Buffer {
  return createHash('sha256').update(`${PIXELS_VERSION}\n${image}\n${backbone}\n${variation}`).digest();
}
