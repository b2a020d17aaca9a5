/**
 * prediction/ answers classification requests: decode, one backbone pass for all models together, one small head each.
 *
 * This file: the shared backbone pass. Images of all models wait in one queue; whenever a session of the backbone is free
 * it takes those that wait, up to a batch. So a lone request is never delayed, and batches grow by themselves as requests
 * come faster than passes: waiting for more would cost time, and on a processor a larger batch is no faster per image.
 */

import type { Backbone } from '../backbones/backbones.js';
import { AppError } from '../errors.js';

export interface Embedded {
  /** `[D]` */
  features: Float32Array;
  queueMs: number;
  inferenceMs: number;
  batch: number;
}

interface Waiting {
  pixels: Uint8Array;
  since: number;
  signal: AbortSignal | undefined;
  resolve: (embedded: Embedded) => void;
  reject: (error: unknown) => void;
}

export interface BatcherOptions {
  backbone: Backbone;
  /** Most images in one pass; 0: what suits the processor or GPU that it runs on. */
  maxBatch: number;
  onBatch?: (batch: { backbone: string; images: number; seconds: number }) => void;
}

/** A processor is as fast or slower per image beyond this, and whoever waits for the batch waits longer. */
const CPU_BATCH = 2;
const GPU_BATCH = 32;

export class Batcher {
  readonly #backbone: Backbone;
  readonly #maxBatch: number;
  readonly #onBatch: BatcherOptions['onBatch'];
  readonly #imageBytes: number;
  #queue: Waiting[] = [];
  /** Passes under way. */
  #passes = 0;
  #planned = false;

  constructor(options: BatcherOptions) {
    this.#backbone = options.backbone;
    this.#maxBatch = options.maxBatch || (options.backbone.provider === 'cpu' ? CPU_BATCH : GPU_BATCH);
    this.#onBatch = options.onBatch;
    const { width, height } = options.backbone.card.input;
    this.#imageBytes = width * height * 3;
  }

  get backbone(): Backbone {
    return this.#backbone;
  }

  /** Of the backbone. */
  get card(): Backbone['card'] {
    return this.#backbone.card;
  }

  /**
   * Features of one image.
   * @param pixels uint8 `[height, width, 3]`
   * @param signal aborted when nobody waits any more: the image is then dropped before the pass
   */
  embed(pixels: Uint8Array, signal?: AbortSignal): Promise<Embedded> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ pixels, since: performance.now(), signal, resolve, reject });
      this.#plan();
    });
  }

  /**
   * Whether a pass may start: where a session is free; and where a full batch waits for one, also ahead of time, so that
   * no session stands still between two passes.
   */
  get #hasRoom(): boolean {
    const { sessions } = this.#backbone;
    return this.#passes < sessions || (this.#passes < 2 * sessions && this.#queue.length >= this.#maxBatch);
  }

  /** Start passes once this turn of the event loop is over: images that arrive in it go together. */
  #plan(): void {
    if (this.#planned || !this.#hasRoom) return;
    this.#planned = true;
    setImmediate(() => {
      this.#planned = false;
      while (this.#queue.length > 0 && this.#hasRoom) {
        const batch = this.#take();
        if (batch.length > 0) void this.#pass(batch);
      }
    });
  }

  async #pass(batch: Waiting[]): Promise<void> {
    let start = performance.now();
    const onStart = () => {
      start = performance.now();
    };
    this.#passes += 1;
    try {
      const features = await this.#backbone.embed(this.#together(batch), batch.length, onStart);
      const inferenceMs = performance.now() - start;
      const D = features.length / batch.length;
      for (const [i, { resolve, since }] of batch.entries()) {
        resolve({
          features: features.subarray(i * D, (i + 1) * D),
          queueMs: start - since,
          inferenceMs,
          batch: batch.length,
        });
      }
      this.#onBatch?.({ backbone: this.#backbone.card.id, images: batch.length, seconds: inferenceMs / 1000 });
    } catch (error) {
      for (const { reject } of batch) reject(error);
    } finally {
      this.#passes -= 1;
      this.#plan();
    }
  }

  /** uint8 `[batch, height, width, 3]` */
  #together(batch: Waiting[]): Uint8Array {
    if (batch.length === 1) return batch[0]!.pixels;
    const pixels = new Uint8Array(batch.length * this.#imageBytes);
    for (const [i, waiting] of batch.entries()) pixels.set(waiting.pixels, i * this.#imageBytes);
    return pixels;
  }

  /** The next batch, without those whose caller has left. */
  #take(): Waiting[] {
    const batch: Waiting[] = [];
    let taken = 0;
    while (taken < this.#queue.length && batch.length < this.#maxBatch) {
      const waiting = this.#queue[taken++]!;
      if (waiting.signal?.aborted) {
        waiting.reject(new AppError('client_closed_request', 'The client left before its turn.'));
      } else {
        batch.push(waiting);
      }
    }
    this.#queue = this.#queue.slice(taken);
    return batch;
  }
}
