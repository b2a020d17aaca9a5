/**
 * prediction/ answers classification requests: decode, one backbone pass for all models together, one small head each.
 *
 * This file: the shared backbone pass. Images of all models wait in one queue; whenever the backbone is free it takes all
 * that wait, up to a batch. So a lone request is never delayed, and batches grow by themselves as requests come faster
 * than passes.
 */
import { AppError } from '../errors.js';
import type { Backbone } from '../vision/backbone.js';

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
  /** Most images in one pass. */
  maxBatch: number;
  onBatch?: (batch: { backbone: string; images: number; seconds: number }) => void;
}

export class Batcher {
  readonly #backbone: Backbone;
  readonly #maxBatch: number;
  readonly #onBatch: BatcherOptions['onBatch'];
  readonly #imageBytes: number;
  #queue: Waiting[] = [];
  #running = false;

  constructor(options: BatcherOptions) {
    this.#backbone = options.backbone;
    this.#maxBatch = options.maxBatch;
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
      if (!this.#running) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#running = true;
    // Requests that arrived in this turn of the event loop join the first batch.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#queue.length > 0) {
      const batch = this.#take();
      if (batch.length === 0) continue;
      const start = performance.now();
      try {
        const pixels = new Uint8Array(batch.length * this.#imageBytes);
        for (const [i, waiting] of batch.entries()) pixels.set(waiting.pixels, i * this.#imageBytes);
        const features = await this.#backbone.embed(pixels, batch.length);
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
      }
    }
    this.#running = false;
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
