/**
 * storage/ keeps the truth: bytes under keys. This file is the contract; `file-storage.ts` is the driver.
 * Keys are `/`-separated segments of `[A-Za-z0-9._-]`. What is written is durable when `put` resolves.
 */
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';

/** Bytes `start` to `end`, both included, as in HTTP. */
export interface ByteRange {
  start: number;
  end: number;
}

export interface StoredObject {
  stream: Readable;
  /** Size of the whole object, whatever the range. */
  bytes: number;
}

export interface ObjectHead {
  bytes: number;
  /** Another one when the key was written anew, also after it was deleted. */
  etag: string;
  modifiedAt: Date;
}

export interface PutOptions {
  /** Write only if the key does not exist; atomically, also between processes. */
  ifAbsent?: boolean;
}

export interface ListOptions {
  /** Only what sorts after this name. */
  after?: string;
  /** There are few, and they are wanted at once: they may be read without leaving the thread. */
  few?: boolean;
}

export interface Storage {
  /**
   * Store a whole object; it is visible either whole or not at all.
   * @returns `created: false` if `ifAbsent` was asked and the key exists already.
   * @throws AppError `storage_full` when the disk is full.
   */
  put(key: string, body: Readable | Uint8Array | string, options?: PutOptions): Promise<{ created: boolean }>;
  /** @returns the object, or undefined where there is none. A range must lie inside the object. */
  get(key: string, range?: ByteRange): Promise<StoredObject | undefined>;
  head(key: string): Promise<ObjectHead | undefined>;
  /** Names of the direct children (objects and folders) of a folder-like prefix, sorted; empty where there is none. */
  list(prefix: string, options?: ListOptions): Promise<string[]>;
  /** Remove an object, or everything below a prefix, in one atomic step. Removing what is not there is no error. */
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
