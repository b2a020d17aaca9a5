import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { AppError } from '../../../src/errors.js';
import type {
  ByteRange,
  ListOptions,
  ObjectHead,
  PutOptions,
  Storage,
  StoredObject,
} from '../../../src/storage/contract.js';

export type Fault = 'EIO' | 'ENOSPC' | 'kill';
/** `middle`: half of what is put is written; of other calls nothing. `after`: it is done, and nobody learns it. */
export type Moment = 'before' | 'middle' | 'after';

/** A storage that fails once, at its k-th call. */
export class FaultyStorage implements Storage {
  calls = 0;
  readonly #inner: Storage;
  readonly #at: number;
  readonly #fault: Fault;
  readonly #moment: Moment;

  /** @param options at: number of the call that fails, from 1; 0: none */
  constructor(options: { inner: Storage; at: number; fault: Fault; moment: Moment }) {
    this.#inner = options.inner;
    this.#at = options.at;
    this.#fault = options.fault;
    this.#moment = options.moment;
  }

  async put(key: string, body: Readable | Uint8Array | string, options?: PutOptions): Promise<{ created: boolean }> {
    this.calls += 1;
    if (this.calls !== this.#at || this.#moment === 'after') {
      const done = await this.#inner.put(key, body, options);
      if (this.calls === this.#at) await this.#fail();
      return done;
    }
    if (this.#moment === 'middle') {
      const bytes = body instanceof Readable ? await buffer(body) : Buffer.from(body as Uint8Array);
      // As a stream, which breaks off before the key is looked at; so `ifAbsent` plays no part.
      await this.#inner.put(key, Readable.from(this.#half(bytes)));
    }
    return this.#fail();
  }

  get(key: string, range?: ByteRange): Promise<StoredObject | undefined> {
    return this.#around(
      () => this.#inner.get(key, range),
      (object) => object?.stream.destroy(),
    );
  }

  head(key: string): Promise<ObjectHead | undefined> {
    return this.#around(() => this.#inner.head(key));
  }

  list(prefix: string, options?: ListOptions): Promise<string[]> {
    return this.#around(() => this.#inner.list(prefix, options));
  }

  delete(prefix: string): Promise<void> {
    return this.#around(() => this.#inner.delete(prefix));
  }

  async #around<T>(call: () => Promise<T>, drop: (answer: T) => void = () => undefined): Promise<T> {
    this.calls += 1;
    if (this.calls !== this.#at) return call();
    if (this.#moment === 'after') drop(await call());
    return this.#fail();
  }

  async *#half(bytes: Buffer): AsyncGenerator<Buffer> {
    yield bytes.subarray(0, bytes.length / 2);
    // The half must have reached the file.
    await new Promise((resolve) => setTimeout(resolve, 20));
    await this.#fail();
  }

  async #fail(): Promise<never> {
    if (this.#fault === 'kill') {
      process.kill(process.pid, 'SIGKILL');
      await new Promise(() => undefined);
    }
    if (this.#fault === 'ENOSPC') throw new AppError('storage_full', 'The disk of the data folder is full.');
    throw Object.assign(new Error('EIO: i/o error'), { code: 'EIO' });
  }
}
