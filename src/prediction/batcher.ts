/**
 * prediction/ answers classification requests: content made ready, one backbone pass for all models together, one small head
 * each. What a request is, and who may ask, is decided in operations/ and http/.
 *
 * This file: the shared backbone pass. Examples of all models wait in one queue; whenever a session of the backbone is free
 * it takes those that wait, up to a batch. So a lone request is never delayed, and batches grow by themselves as requests
 * come faster than passes: waiting for more would cost time, and on a processor a larger batch is no faster per example.
 */

import type { Backbone } from '../backbones/contract.js';
import { AppError } from '../errors.js';
import { type FeatureRow, rowOf } from '../numbers/features.js';

export interface Embedded {
  features: FeatureRow;
  queueMs: number;
  inferenceMs: number;
  batch: number;
}

interface Waiting<P> {
  prepared: P;
  since: number;
  signal: AbortSignal | undefined;
  resolve: (embedded: Embedded) => void;
  reject: (error: unknown) => void;
}

export interface BatcherOptions<P = unknown> {
  backbone: Backbone<P>;
  /** Most examples in one pass; 0: what the backbone recommends. */
  maxBatch: number;
  onBatch?: (batch: { backbone: string; examples: number; seconds: number }) => void;
}

export class Batcher<P = unknown> {
  readonly #backbone: Backbone<P>;
  readonly #maxBatch: number;
  readonly #onBatch: BatcherOptions['onBatch'];
  #queue: Waiting<P>[] = [];
  /** Passes under way. */
  #passes = 0;
  #planned = false;

  constructor(options: BatcherOptions<P>) {
    this.#backbone = options.backbone;
    this.#maxBatch = options.maxBatch || options.backbone.batch.predicting;
    this.#onBatch = options.onBatch;
  }

  get backbone(): Backbone<P> {
    return this.#backbone;
  }

  /**
   * Features of one example.
   * @param prepared what the backbone made of its content
   * @param signal aborted when nobody waits any more: the example is then dropped before the pass
   */
  embed(prepared: P, signal?: AbortSignal): Promise<Embedded> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ prepared, since: performance.now(), signal, resolve, reject });
      this.#plan();
    });
  }

  /**
   * Whether a pass may start: where a session is free; and where a full batch waits for one, also ahead of time, so that
   * no session stands still between two passes.
   */
  get #hasRoom(): boolean {
    const { passes } = this.#backbone;
    return this.#passes < passes || (this.#passes < 2 * passes && this.#queue.length >= this.#maxBatch);
  }

  /** Start passes once this turn of the event loop is over: examples that arrive in it go together. */
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

  async #pass(batch: Waiting<P>[]): Promise<void> {
    let start = performance.now();
    const onStart = () => {
      start = performance.now();
    };
    this.#passes += 1;
    try {
      const features = await this.#backbone.embed(
        batch.map(({ prepared }) => prepared),
        onStart,
      );
      const inferenceMs = performance.now() - start;
      for (const [i, { resolve, since }] of batch.entries()) {
        resolve({ features: rowOf(features, i), queueMs: start - since, inferenceMs, batch: batch.length });
      }
      this.#onBatch?.({ backbone: this.#backbone.card.id, examples: batch.length, seconds: inferenceMs / 1000 });
    } catch (error) {
      for (const { reject } of batch) reject(error);
    } finally {
      this.#passes -= 1;
      this.#plan();
    }
  }

  /** The next batch, without those whose caller has left. */
  #take(): Waiting<P>[] {
    const batch: Waiting<P>[] = [];
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
