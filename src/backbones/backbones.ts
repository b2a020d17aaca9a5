import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import { Worker } from 'node:worker_threads';
import { AppError } from '../errors.js';
import type { BackboneCard, BackboneCut } from '../schemas/backbones.js';
import '../onnx/no-telemetry.js'; // here, because a thread changes only a copy of the environment
import { TRUNK, trunkDimensions } from '../onnx/cut-graph.js';
import type { TopWeights } from '../top/weights.js';
import { sessionPool } from './image/session-pool.js';
import type {
  EmbedRequest,
  FeatureMap,
  ThreadData,
  ThreadMessage,
  TopRequest,
  WeightsMessage,
} from './image/thread.js';
import { type BackboneSource, isNotFound } from './source.js';

/** A loaded backbone: ONNX Runtime sessions in threads of their own, kept for the life of the process (sessions leak). */
export interface Backbone {
  readonly card: BackboneCard;
  /** Batches that it works on at once. */
  readonly sessions: number;
  /** What it runs on: `cpu`, `cuda` or `webgpu`. */
  readonly provider: string;
  /** Why it does not run on what was tried before. */
  readonly unavailableProviders: string[];
  /**
   * Features of a batch; the event loop stays free.
   * @param pixels uint8 `[count, height, width, 3]`, RGB
   * @param onStart called when the pass begins, unless it begins at once: a session does one after another
   * @returns float32 `[count, D]`
   */
  embed(pixels: Uint8Array, count: number, onStart?: () => void): Promise<Float32Array>;
  /**
   * The maps of one image whose means, side by side, are its features; as the card lists them.
   * @param pixels uint8 `[height, width, 3]`, RGB
   * @throws AppError `backbone_invalid` where the card lists none
   */
  maps(pixels: Uint8Array): Promise<FeatureMap[]>;
}

/**
 * A backbone cut in two. As a `Backbone` it answers what reaches the cut, `[count, T]`, the same for all models with this
 * cut; its card is the backbone's but for `features` and for `sha256`, which names backbone and cut.
 */
export interface CutBackbone extends Backbone {
  /**
   * Features through a model's own top.
   * @param rows float32 `[count, T]`
   * @returns float32 `[count, D]`
   */
  runTop(top: TopWeights, rows: Float32Array, count: number): Promise<Float32Array>;
  /** Let go of a top's weights. */
  forget(key: string): void;
}

/** What backbones may run on; `auto`: CUDA where it is installed, else the CPU. */
export type ExecutionProvider = 'auto' | 'cpu' | 'cuda' | 'webgpu';

export interface BackbonesOptions {
  source: BackboneSource;
  /** Cores that all passes together use. */
  threads: number;
  provider?: ExecutionProvider;
  /** Called when a backbone is in memory. */
  onLoad?: (backbone: Backbone) => void;
}

/** Each holds the weights once more; from here on sessions get more threads instead. */
const MAX_SESSIONS = 8;

/** What a version says of its backbone. */
export type BackboneReference = Pick<BackboneCard, 'id' | 'sha256'>;

/**
 * The backbones of a source, each loaded once when first needed. They are kept by id and digest: what is in memory serves the
 * versions that were trained on it, whatever becomes of it in the source; an id that has another file by now is loaded anew.
 */
export class Backbones {
  readonly #source: BackboneSource;
  readonly #options: BackbonesOptions;
  readonly #loading = new Map<string, { card: BackboneCard; loading: Promise<Backbone> }>();
  readonly #loaded = new Map<string, Backbone>();
  readonly #splits = new Map<string, Promise<CutBackbone>>();

  constructor(options: BackbonesOptions) {
    this.#source = options.source;
    this.#options = options;
  }

  /** Cards of all backbones of the source, sorted by id. */
  async list(): Promise<BackboneCard[]> {
    const ids = await this.#source.ids();
    const cards = ids.map((id) =>
      this.#source.card(id).catch((error: unknown) => {
        if (isNotFound(error)) return undefined; // a folder of another kind
        throw error;
      }),
    );
    return (await Promise.all(cards)).filter((card) => card !== undefined);
  }

  /** @throws AppError `backbone_not_found` that names those that are there, `backbone_invalid` */
  async card(id: string): Promise<BackboneCard> {
    try {
      return await this.#source.card(id);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      const known = await this.#source.ids();
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
  loaded(backbone: BackboneReference): Backbone | undefined {
    return this.#loaded.get(keyOf(backbone));
  }

  /**
   * The backbone that this id has now, loaded; its file is checked against the card's SHA-256. One whose thread has died is
   * loaded anew.
   * @throws AppError `backbone_not_found` or `backbone_invalid`
   */
  async load(id: string): Promise<Backbone> {
    return this.#load(await this.card(id));
  }

  /**
   * The backbone that a version was trained on, loaded. Nothing is asked where it is in memory.
   * @throws AppError `backbone_mismatch` where this id has another file, `backbone_not_found` or `backbone_invalid`
   */
  async loadFor(backbone: BackboneReference): Promise<Backbone> {
    return this.#loading.get(keyOf(backbone))?.loading ?? this.#load(await this.#cardFor(backbone));
  }

  async #cardFor({ id, sha256 }: BackboneReference): Promise<BackboneCard> {
    const card = await this.card(id);
    if (card.sha256 === sha256) return card;
    throw new AppError(
      'backbone_mismatch',
      `The model was trained on another '${id}' (sha256 ${sha256}) than the one that is installed (${card.sha256}). Put that file back, or train again.`,
      { details: { expected: sha256, installed: card.sha256 } },
    );
  }

  #load(card: BackboneCard): Promise<Backbone> {
    const key = keyOf(card);
    const known = this.#loading.get(key);
    // Put back with the same file and other settings: the card that holds now decides how examples are made ready.
    if (known && isDeepStrictEqual(known.card.resize, card.resize)) return known.loading;
    const forget = () => {
      if (this.#loading.get(key)?.loading !== loading) return;
      this.#loading.delete(key);
      this.#loaded.delete(key);
    };
    const loading = this.#start(card, forget);
    this.#loading.set(key, { card, loading });
    loading.catch(forget);
    return loading;
  }

  /**
   * A backbone cut in two, loaded once for all models with this cut.
   * @param weights dimensions of the top's weights
   * @throws AppError `backbone_not_found`, `backbone_invalid`, or `backbone_mismatch` for another file of that id
   */
  loadCut(backbone: BackboneReference, cut: BackboneCut, weights: Map<string, number[]>): Promise<CutBackbone> {
    const key = cutDigest(backbone.sha256, cut);
    const known = this.#splits.get(key);
    if (known) return known;
    const forget = () => {
      if (this.#splits.get(key) !== loading) return;
      this.#splits.delete(key);
      this.#loaded.delete(key);
    };
    const loading = this.#startCut(backbone, { cut, weights }, forget);
    this.#splits.set(key, loading);
    loading.catch(forget);
    return loading;
  }

  async #startCut(
    backbone: BackboneReference,
    { cut, weights }: { cut: BackboneCut; weights: Map<string, number[]> },
    onEnd: () => void,
  ): Promise<CutBackbone> {
    const whole = await this.#cardFor(backbone);
    const key = cutDigest(whole.sha256, cut);
    const output = { name: TRUNK, dimensions: trunkDimensions(cut) };
    const card = { ...whole, sha256: key, features: output, maps: [] };
    const { threads, onLoad } = this.#options;
    const { sha256, input, features } = whole;
    const split = { cut, features, weights };
    const file = await this.#source.file(whole);
    const data = { file, card: { sha256, input, features: output, maps: [] }, threads, split };
    const started = await startThread(card, { ...data, providers: this.#providers() }, onEnd);
    this.#loaded.set(key, started);
    onLoad?.(started);
    return started;
  }

  /** Let every cut backbone let go of a top's weights. */
  forgetTop(key: string): void {
    for (const loading of this.#splits.values()) void loading.then((split) => split.forget(key)).catch(() => undefined);
  }

  #providers(): string[] {
    const { provider = 'auto' } = this.#options;
    return provider === 'auto' ? ['cuda', 'cpu'] : [provider];
  }

  /** The bytes of the backbone's ONNX file, checked. @throws AppError `backbone_invalid` */
  async bytes(card: BackboneCard): Promise<Buffer> {
    const file = await this.#source.file(card);
    const bytes = await readFile(file);
    if (createHash('sha256').update(bytes).digest('hex') === card.sha256) return bytes;
    throw unusable(card, `${file} is not the file its card describes`);
  }

  async #start(card: BackboneCard, onEnd: () => void): Promise<Backbone> {
    const { threads, onLoad } = this.#options;
    const { sha256, input, features, maps } = card;
    const providers = this.#providers();
    // On a processor sessions of one thread each do more than one session of many threads (docs/performance.md).
    const sessions = Math.min(threads, MAX_SESSIONS);
    const perSession = Math.floor(threads / sessions);
    const file = await this.#source.file(card);
    const data = { file, card: { sha256, input, features, maps }, threads: perSession, providers };
    const ended = new AbortController();
    const whenOneEnds = () => {
      ended.abort();
      onEnd();
    };
    const start = () => startThread(card, data, whenOneEnds, ended.signal);
    const first = await start();
    const others = first.provider === 'cpu' ? sessions - 1 : 0;
    const backbone = sessionPool([first, ...(await Promise.all(Array.from({ length: others }, start)))]);
    this.#loaded.set(keyOf(card), backbone);
    onLoad?.(backbone);
    return backbone;
  }
}

function keyOf({ id, sha256 }: BackboneReference): string {
  return `${id} ${sha256}`;
}

/** Names a backbone and a cut. */
function cutDigest(sha256: string, cut: BackboneCut): string {
  return createHash('sha256')
    .update(`${sha256}\n${JSON.stringify(cut)}`)
    .digest('hex');
}

/**
 * Start a thread with one session; `onEnd` is called when it has died. It does not keep the process alive unless it works,
 * and ends when `signal` is aborted.
 */
function startThread(
  card: BackboneCard,
  workerData: ThreadData,
  onEnd: () => void,
  signal?: AbortSignal,
): Promise<CutBackbone> {
  const thread = new Worker(new URL('./image/thread.js', import.meta.url), {
    workerData,
    execArgv: ['--enable-source-maps'], // not those of this process, which may not be for threads
  });
  const pending = new Map<number, { resolve: (answer: never) => void; reject: (error: unknown) => void }>();
  let next = 0;
  let ended: AppError | undefined;
  /** Keys of the weights that the thread has. */
  const sent = new Set<string>();
  let before: Promise<unknown> = Promise.resolve();
  const tell = (message: EmbedRequest | TopRequest | WeightsMessage) => thread.postMessage(message);
  const settle = (id: number) => {
    const waiting = pending.get(id);
    pending.delete(id);
    if (pending.size === 0) thread.unref();
    return waiting;
  };
  const ask = <T>(request: Omit<EmbedRequest, 'id'> | Omit<TopRequest, 'id'>) =>
    new Promise<T>((resolve, reject) => {
      if (ended) return reject(ended);
      const id = next++;
      pending.set(id, { resolve, reject });
      thread.ref();
      tell({ ...request, id });
    });
  return new Promise((resolve, reject) => {
    const end = (reason: string) => {
      ended ??= unusable(card, reason);
      reject(ended);
      for (const id of [...pending.keys()]) settle(id)?.reject(ended);
      onEnd();
    };
    signal?.addEventListener('abort', () => void thread.terminate(), { once: true });
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
            sessions: 1,
            provider: message.provider,
            unavailableProviders: message.unavailableProviders,
            embed: (pixels, count, onStart) => {
              if (onStart && pending.size > 0) before.then(onStart, onStart);
              const pass = ask<Float32Array>({ pixels, count });
              before = pass;
              return pass;
            },
            maps: (pixels) => ask<FeatureMap[]>({ pixels, count: 1, maps: true }),
            runTop: (top, rows, count) => {
              if (!sent.has(top.key)) tell({ key: top.key, weights: top.weights });
              sent.add(top.key);
              return ask<Float32Array>({ rows, count, key: top.key });
            },
            forget: (key) => {
              if (sent.delete(key) && !ended) tell({ key, weights: undefined });
            },
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
