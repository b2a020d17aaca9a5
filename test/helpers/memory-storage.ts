import { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { checkKey, checkRange } from '../../src/storage/check-key.js';
import type {
  ByteRange,
  ListOptions,
  ObjectHead,
  PutOptions,
  Storage,
  StoredObject,
} from '../../src/storage/contract.js';

const PIECE_BYTES = 64 * 1024;

interface Entry {
  bytes: Buffer;
  etag: string;
  modifiedAt: Date;
}

/**
 * A storage in memory that behaves as an object store does: every call takes a turn of the event loop, so that callers
 * interleave; a deletion takes key by key away, in an order of its own, a turn each; folders are nothing but names.
 */
export class MemoryStorage implements Storage {
  readonly #entries = new Map<string, Entry>();
  #written = 0;
  #random: number;

  /** @param options seed: decides in which order keys are deleted */
  constructor(options: { seed?: number } = {}) {
    this.#random = options.seed ?? 1;
  }

  async put(
    key: string,
    body: Readable | Uint8Array | string,
    { ifAbsent = false }: PutOptions = {},
  ): Promise<{ created: boolean }> {
    checkKey(key);
    if (ifAbsent && body instanceof Readable) throw new TypeError('ifAbsent is for bodies in memory.');
    const bytes = Buffer.from(body instanceof Readable ? await collect(body) : (body as Uint8Array));
    await turn();
    if (ifAbsent && this.#entries.has(key)) return { created: false };
    this.#written += 1;
    this.#entries.set(key, { bytes, etag: `${this.#written}`, modifiedAt: new Date() });
    return { created: true };
  }

  async get(key: string, range?: ByteRange): Promise<StoredObject | undefined> {
    checkKey(key);
    if (range) checkRange(range);
    await turn();
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    const bytes = range ? entry.bytes.subarray(range.start, range.end + 1) : entry.bytes;
    const stream = Readable.from(pieces(bytes), { objectMode: false });
    return { stream, bytes: entry.bytes.length, etag: entry.etag };
  }

  async head(key: string): Promise<ObjectHead | undefined> {
    checkKey(key);
    await turn();
    const entry = this.#entries.get(key);
    return entry && { bytes: entry.bytes.length, etag: entry.etag, modifiedAt: entry.modifiedAt };
  }

  async list(prefix: string, { after }: ListOptions = {}): Promise<string[]> {
    checkKey(prefix);
    await turn();
    const names = new Set<string>();
    for (const key of this.#entries.keys()) {
      if (key.startsWith(`${prefix}/`)) names.add(key.slice(prefix.length + 1).split('/')[0]!);
    }
    return [...names].filter((name) => after === undefined || name > after).sort();
  }

  async delete(prefix: string): Promise<void> {
    checkKey(prefix);
    await turn();
    const keys = [...this.#entries.keys()].filter((key) => key === prefix || key.startsWith(`${prefix}/`));
    while (keys.length > 0) {
      this.#entries.delete(keys.splice(this.#below(keys.length), 1)[0]!);
      await turn();
    }
  }

  /** Every key that is there, sorted. */
  keys(): string[] {
    return [...this.#entries.keys()].sort();
  }

  /** Pretend that everything was written so much earlier. */
  age(ms: number): void {
    for (const entry of this.#entries.values()) entry.modifiedAt = new Date(entry.modifiedAt.getTime() - ms);
  }

  /** A whole number below `bound` (Park and Miller). */
  #below(bound: number): number {
    this.#random = (this.#random * 48_271) % 2_147_483_647;
    return this.#random % bound;
  }
}

function* pieces(bytes: Buffer): Generator<Buffer> {
  for (let start = 0; start < bytes.length; start += PIECE_BYTES) yield bytes.subarray(start, start + PIECE_BYTES);
}

/** Text and bytes alike. */
async function collect(stream: Readable): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of stream as AsyncIterable<Buffer | string>) parts.push(Buffer.from(part as Buffer));
  return Buffer.concat(parts);
}
