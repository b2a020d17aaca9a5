import { Worker } from 'node:worker_threads';
import '../../onnx/runtime-environment.js'; // here, because a thread changes only a copy of the environment
import type { AppError } from '../../errors.js';
import type { OwnWeights } from '../trunk.js';
import { unusable } from '../unusable.js';
import type { FeatureMap } from './maps/class-activation-map.js';
import type { EmbedRequest, ThreadData, ThreadMessage, TopRequest, WeightsMessage } from './thread-messages.js';

/** A session of ONNX Runtime in a thread of its own, kept for the life of the process (sessions leak). */
export interface Session {
  /** What it runs on. */
  readonly provider: string;
  /** Why it does not run on what was tried before. */
  readonly unavailableProviders: string[];
  /**
   * @param pixels uint8 `[count, height, width, 3]`, RGB
   * @param onStart called when the pass begins, unless it begins at once: a session does one after another
   * @returns float32 `[count, D]`
   */
  embed(pixels: Uint8Array, count: number, onStart?: () => void): Promise<Float32Array>;
  /**
   * The maps of one image whose means, side by side, are its features; as the card lists them.
   * @throws AppError `backbone_invalid` where the card lists none
   */
  maps(pixels: Uint8Array): Promise<FeatureMap[]>;
  /** See `Trunk`. */
  runTop(top: { key: string; weights: OwnWeights }, rows: Float32Array, count: number): Promise<Float32Array>;
  forget(key: string): void;
}

export interface SessionOptions {
  /** Of the backbone, for errors. */
  id: string;
  data: ThreadData;
  /** Called when the thread has died. */
  onEnd: () => void;
  /** The thread ends when it is aborted. */
  signal?: AbortSignal;
}

/**
 * Start a thread with one session. It does not keep the process alive unless it works.
 * @throws AppError `backbone_invalid`
 */
export function startSession(options: SessionOptions): Promise<Session> {
  return new Promise((resolve, reject) => {
    const thread = new SessionThread(options, {
      ready: ({ provider, unavailableProviders }) => resolve(sessionOn(thread, { provider, unavailableProviders })),
      end: reject,
    });
  });
}

function sessionOn(thread: SessionThread, on: Pick<Session, 'provider' | 'unavailableProviders'>): Session {
  /** Keys of the weights that the thread has. */
  const sent = new Set<string>();
  let before: Promise<unknown> = Promise.resolve();
  return {
    ...on,
    embed: (pixels, count, onStart) => {
      if (onStart && thread.busy) before.then(onStart, onStart);
      const pass = thread.ask<Float32Array>({ pixels, count });
      before = pass;
      return pass;
    },
    maps: (pixels) => thread.ask<FeatureMap[]>({ pixels, count: 1, maps: true }),
    runTop: ({ key, weights }, rows, count) => {
      if (!sent.has(key)) thread.tell({ key, weights });
      sent.add(key);
      return thread.ask<Float32Array>({ rows, count, key });
    },
    forget: (key) => {
      if (sent.delete(key)) thread.tell({ key, weights: undefined });
    },
  };
}

type Ready = Extract<ThreadMessage, { kind: 'ready' }>;

/** The thread, and the questions that it has not answered yet. */
class SessionThread {
  readonly #id: string;
  readonly #thread: Worker;
  readonly #onEnd: (error: AppError) => void;
  readonly #pending = new Map<number, { resolve: (answer: never) => void; reject: (error: unknown) => void }>();
  #next = 0;
  #ended: AppError | undefined;

  constructor(
    { id, data, onEnd, signal }: SessionOptions,
    on: { ready: (message: Ready) => void; end: (error: AppError) => void },
  ) {
    this.#id = id;
    this.#onEnd = (error) => {
      on.end(error);
      onEnd();
    };
    const thread = new Worker(new URL('./thread.js', import.meta.url), {
      workerData: data,
      execArgv: ['--enable-source-maps'], // not those of this process, which may not be for threads
    });
    this.#thread = thread;
    signal?.addEventListener('abort', () => void thread.terminate(), { once: true });
    thread.on('error', (error) => this.#end(error instanceof Error ? error.message : String(error)));
    thread.on('exit', (code) => this.#end(`its thread ended with code ${code}`));
    thread.on('message', (message: ThreadMessage) => this.#hear(message, on.ready));
  }

  get busy(): boolean {
    return this.#pending.size > 0;
  }

  tell(message: EmbedRequest | TopRequest | WeightsMessage): void {
    if (!this.#ended) this.#thread.postMessage(message);
  }

  ask<T>(request: Omit<EmbedRequest, 'id'> | Omit<TopRequest, 'id'>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#ended) return reject(this.#ended);
      const id = this.#next++;
      this.#pending.set(id, { resolve, reject });
      this.#thread.ref();
      this.tell({ ...request, id });
    });
  }

  #hear(message: ThreadMessage, ready: (message: Ready) => void): void {
    switch (message.kind) {
      case 'features':
        this.#settle(message.id)?.resolve(message.features as never);
        break;
      case 'maps':
        this.#settle(message.id)?.resolve(message.maps as never);
        break;
      case 'failed':
        this.#settle(message.id)?.reject(unusable(this.#id, message.reason));
        break;
      case 'refused':
        this.#end(message.reason);
        void this.#thread.terminate();
        break;
      case 'ready':
        this.#thread.unref();
        ready(message);
    }
  }

  #settle(id: number) {
    const waiting = this.#pending.get(id);
    this.#pending.delete(id);
    if (this.#pending.size === 0) this.#thread.unref();
    return waiting;
  }

  #end(reason: string): void {
    this.#ended ??= unusable(this.#id, reason);
    for (const id of [...this.#pending.keys()]) this.#settle(id)?.reject(this.#ended);
    this.#onEnd(this.#ended);
  }
}
