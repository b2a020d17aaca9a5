import type { FileHandle } from 'node:fs/promises';
import { AppError } from '../../errors.js';

const WINDOW_BYTES = 512 * 1024;

/**
 * Reads pieces of a zip that mostly follow one another: small ones come out of larger reads, a hop to the thread pool each
 * saved. A piece keeps the whole read it came from in memory for as long as it is used.
 */
export class ReadAhead {
  /** Of what is read, in bytes. */
  readonly size: number;
  readonly #file: FileHandle;
  /** Where in the file position 0 lies. */
  readonly #origin: number;
  #start = 0;
  #window: Promise<Buffer> = Promise.resolve(Buffer.alloc(0));
  #end = 0;

  private constructor(file: FileHandle, size: number, origin = 0) {
    this.#file = file;
    this.size = size;
    this.#origin = origin;
  }

  /** @param file stays the caller's to close */
  static async of(file: FileHandle): Promise<ReadAhead> {
    return new ReadAhead(file, (await file.stat()).size);
  }

  /** A part of it, with positions that begin at `start`. */
  part({ start, end }: { start: number; end: number }): ReadAhead {
    return new ReadAhead(this.#file, end - start, this.#origin + start);
  }

  /** @throws AppError `archive_damaged` where the file ends before */
  async read(position: number, length: number): Promise<Buffer> {
    if (position + length > this.size) throw new AppError('archive_damaged', 'The zip is cut off.');
    if (length > WINDOW_BYTES) return this.#exactly(position, length);
    if (position < this.#start || position + length > this.#end) {
      this.#start = position;
      this.#end = Math.min(position + WINDOW_BYTES, this.size);
      this.#window = this.#exactly(position, this.#end - position);
    }
    const start = position - this.#start; // before waiting: others may move the window meanwhile
    return (await this.#window).subarray(start, start + length);
  }

  async #exactly(position: number, length: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafeSlow(length);
    let filled = 0;
    while (filled < length) {
      const { bytesRead } = await this.#file.read(buffer, filled, length - filled, this.#origin + position + filled);
      if (bytesRead === 0) throw new AppError('archive_damaged', 'The zip is cut off.');
      filled += bytesRead;
    }
    return buffer;
  }
}
