import { readFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { AppError } from '../errors.js';
import type { BackboneCard } from '../schemas.js';
import './no-telemetry.js'; // here, because a thread changes only a copy of the environment
import type { EmbedRequest, FeatureMap, ThreadData, ThreadMessage } from './backbone-thread.js';
import { listBackbones, readCard } from './installed-backbones.js';

/** A loaded backbone: one ONNX Runtime session in a thread of its own, kept for the life of the process (sessions leak). */
export interface Backbone {
  readonly card: BackboneCard;
  /** What it runs on: `cpu`, `cuda` or `webgpu`. */
  readonly provider: string;
  /** Why it does not run on what was tried before. */
  readonly without: string[];
  /**
   * Features of a batch; the event loop stays free.
   * @param pixels uint8 `[count, height, width, 3]`, RGB
   * @returns float32 `[count, D]`
   */
  embed(pixels: Uint8Array, count: number): Promise<Float32Array>;
  /**
   * The maps of one image whose means, side by side, are its features; as the card lists them.
   * @param pixels uint8 `[height, width, 3]`, RGB
   * @throws AppError `backbone_invalid` where the card lists none
   */
  maps(pixels: Uint8Array): Promise<FeatureMap[]>;
}

/** What backbones may run on; `auto`: CUDA where it is installed, else the CPU. */
export type ExecutionProvider = 'auto' | 'cpu' | 'cuda' | 'webgpu';

export interface BackbonesOptions {
  folder: string;
  /** Cores that one pass uses. */
  threads: number;
  provider?: ExecutionProvider;
  /** Called when a backbone is in memory. */
  onLoad?: (backbone: Backbone) => void;
}

/** The backbones in a folder, each loaded once when first needed. */
export class Backbones {
  readonly #folder: string;
  readonly #options: BackbonesOptions;
  readonly #loading = new Map<string, Promise<Backbone>>();
  readonly #loaded = new Map<string, Backbone>();

  constructor(options: BackbonesOptions) {
    this.#folder = options.folder;
    this.#options = options;
  }

  /** Cards of all backbones in the folder, sorted by id. */
  async list(): Promise<BackboneCard[]> {
    const ids = await listBackbones(this.#folder);
    const cards = ids.map((id) =>
      readCard(this.#folder, id).catch((error: unknown) => {
        if (error instanceof AppError && error.code === 'backbone_not_found') return undefined; // a folder of another kind
        throw error;
      }),
    );
    return (await Promise.all(cards)).filter((card) => card !== undefined);
  }

  /** @throws AppError `backbone_not_found` that names those that are there, `backbone_invalid` */
  async card(id: string): Promise<BackboneCard> {
    try {
      return await readCard(this.#folder, id);
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'backbone_not_found') throw error;
      const known = await listBackbones(this.#folder);
      throw new AppError('backbone_not_found', `There is no backbone '${id}'. There are: ${known.join(', ')}.`, {
        details: { backbone: id, known },
      });
    }
  }

  /** For metrics: what is in memory, by the size of its files. */
  get memory(): { backbones: number; bytes: number } {
    const cards = [...this.#loaded.values()].map(({ card }) => card);
    return { backbones: cards.length, bytes: cards.reduce((sum, { bytes }) => sum + bytes, 0) };
  }

  /** The backbone, if it is in memory. */
  loaded(id: string): Backbone | undefined {
    return this.#loaded.get(id);
  }

  /**
   * The backbone, loaded; its file is checked against the card's SHA-256. One whose thread has died is loaded anew.
   * @throws AppError `backbone_not_found` or `backbone_invalid`
   */
  load(id: string): Promise<Backbone> {
    const known = this.#loading.get(id);
    if (known) return known;
    const forget = () => {
      if (this.#loading.get(id) !== loading) return;
      this.#loading.delete(id);
      this.#loaded.delete(id);
    };
    const loading = this.#start(id, forget);
    this.#loading.set(id, loading);
    loading.catch(forget);
    return loading;
  }

  /** The bytes of the backbone's ONNX file, checked. @throws AppError `backbone_invalid` */
  async bytes(card: BackboneCard): Promise<Buffer> {
    const bytes = await readFile(this.#file(card));
    if (createHash('sha256').update(bytes).digest('hex') === card.sha256) return bytes;
    throw unusable(card, `${this.#file(card)} is not the file its card describes`);
  }

  async #start(id: string, onEnd: () => void): Promise<Backbone> {
    const { threads, provider = 'auto', onLoad } = this.#options;
    const card = await this.card(id);
    const { sha256, input, features, maps } = card;
    const providers = provider === 'auto' ? ['cuda', 'cpu'] : [provider];
    const data = { file: this.#file(card), card: { sha256, input, features, maps }, threads, providers };
    const backbone = await startThread(card, data, onEnd);
    this.#loaded.set(id, backbone);
    onLoad?.(backbone);
    return backbone;
  }

  #file(card: BackboneCard): string {
    return join(this.#folder, card.id, card.file);
  }
}

/** Start the thread; `onEnd` is called when it has died. It does not keep the process alive unless it works. */
function startThread(card: BackboneCard, workerData: ThreadData, onEnd: () => void): Promise<Backbone> {
  const thread = new Worker(new URL('./backbone-thread.js', import.meta.url), {
    workerData,
    execArgv: ['--enable-source-maps'], // not those of this process, which may not be for threads
  });
  const pending = new Map<number, { resolve: (answer: never) => void; reject: (error: unknown) => void }>();
  let next = 0;
  let ended: AppError | undefined;
  const settle = (id: number) => {
    const waiting = pending.get(id);
    pending.delete(id);
    if (pending.size === 0) thread.unref();
    return waiting;
  };
  const ask = <T>(request: Omit<EmbedRequest, 'id'>) =>
    new Promise<T>((resolve, reject) => {
      if (ended) return reject(ended);
      const id = next++;
      pending.set(id, { resolve, reject });
      thread.ref();
      thread.postMessage({ ...request, id });
    });
  return new Promise((resolve, reject) => {
    const end = (reason: string) => {
      ended ??= unusable(card, reason);
      reject(ended);
      for (const id of [...pending.keys()]) settle(id)?.reject(ended);
      onEnd();
    };
    thread.on('error', (error) => end(error instanceof Error ? error.message : String(error)));
    thread.on('exit', (code) => end(`its thread ended with code ${code}`));
    thread.on('message', (message: ThreadMessage) => {
      switch (message.kind) {
        case 'features':
          settle(message.id)?.resolve(message.features as never);
          break;
        case 'maps':
          settle(message.id)?.resolve(message.maps as never);
          break;
        case 'failed':
          settle(message.id)?.reject(unusable(card, message.reason));
          break;
        case 'refused':
          end(message.reason);
          void thread.terminate();
          break;
        case 'ready':
          thread.unref();
          resolve({
            card,
            provider: message.provider,
            without: message.without,
            embed: (pixels, count) => ask<Float32Array>({ pixels, count }),
            maps: (pixels) => ask<FeatureMap[]>({ pixels, count: 1, maps: true }),
          });
      }
    });
  });
}

function unusable(card: BackboneCard, reason: string): AppError {
  return new AppError('backbone_invalid', `Backbone '${card.id}' cannot be used: ${reason}.`, {
    details: { backbone: card.id },
  });
}
