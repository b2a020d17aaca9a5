/**
 * storage/ keeps the truth: bytes under keys. This file is the contract that every driver keeps, and `storageSuite` in
 * test/storage/contract.ts holds it against it. What the bytes mean is not known here: that is the business of the rooms
 * that write them (datasets/, registry/, jobs/).
 *
 * - **Keys** are `/`-separated parts of up to 255 of `[A-Za-z0-9._-]`, none of them `.` or `..`. A key is an object or a folder of others, never both.
 * - **Durable**: what is written survives a crash from the moment `put` resolves.
 * - **Consistent**: once `put` or `delete` has resolved, every `get`, `head` and `list` says so, on every machine.
 * - **Deleting is eventual**: an object store removes key by key, so that readers may see some of the keys below a prefix
 *   and miss others. Therefore one object alone makes a thing exist (its manifest, its record); whoever deletes the thing
 *   removes that object first and waits for it. The rest is nobody's then, and fsck removes what a crash leaves of it.
 * - **Fresh**: on a disk readers ask every time, and see a change at once. On an object store they may keep what they were
 *   told: until a message says that it has changed; for at most 60 s where that message is lost; for at most one second
 *   where there is no Redis to bring messages.
 */
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';

/** Bytes `start` to `end`, both included, as in HTTP; `0 ≤ start ≤ end`. */
export interface ByteRange {
  start: number;
  end: number;
}

export interface StoredObject {
  /** The bytes as they were when they were asked for, to the end, or an error; never a mixture with later ones. */
  stream: Readable;
  /** Size of the whole object, whatever the range. */
  bytes: number;
  /** As `head` tells it. */
  etag: string;
}

export interface ObjectHead {
  bytes: number;
  /** Another one when the content is another. Where equal bytes are written anew it may be the same or another. */
  etag: string;
  /** By the storage's clock; whole seconds on some. */
  modifiedAt: Date;
}

export interface PutOptions {
  /** Write only if the key does not exist; atomically, also between machines. For bodies in memory, not for streams. */
  ifAbsent?: boolean;
}

export interface ListOptions {
  /** Only what sorts after this name, which need not exist. */
  after?: string;
}

export interface Storage {
  /**
   * Store a whole object, of any size; it is visible either whole or not at all. A stream that fails leaves nothing.
   * A large body goes to a key that nobody else writes; a small one with `ifAbsent` then says that it counts.
   * @returns `created: false` if `ifAbsent` was asked and the key exists already.
   * @throws AppError `storage_full` when there is no room; TypeError for what is no key, and for `ifAbsent` with a stream.
   */
  put(key: string, body: Readable | Uint8Array | string, options?: PutOptions): Promise<{ created: boolean }>;
  /**
   * @returns the object, or undefined where there is none. Of a range that reaches beyond the end comes what there is: its
   * first part, or nothing.
   */
  get(key: string, range?: ByteRange): Promise<StoredObject | undefined>;
  head(key: string): Promise<ObjectHead | undefined>;
  /**
   * Names of the direct children of a folder, objects and folders, in the order of their bytes; empty where there is none.
   * A folder may be named although nothing lies in it any more.
   */
  list(prefix: string, options?: ListOptions): Promise<string[]>;
  /**
   * Remove an object, or everything below a folder, in any order and not at once: see above. When it resolves, all that
   * was there when it was called is gone; what is put meanwhile may go or stay. Removing what is not there is no error.
   */
  delete(prefix: string): Promise<void>;
}

/** The JSON object under `key`, or undefined where there is none. */
export async function readJson<T>(storage: Storage, key: string): Promise<T | undefined> {
  const object = await storage.get(key);
  return object && (JSON.parse(await text(object.stream)) as T);
}

/** Store `value` as JSON. @returns whether it was written (false: `ifAbsent`, and the key exists). */
export async function writeJson(
  storage: Storage,
  key: string,
  value: unknown,
  options?: PutOptions,
): Promise<{ created: boolean }> {
  return storage.put(key, JSON.stringify(value), options);
}
