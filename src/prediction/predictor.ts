import { LRUCache } from 'lru-cache';
import pLimit from 'p-limit';
import type { Backbone, Backbones, CutBackbone } from '../backbones/backbones.js';
import { decodeImage, type ImageLimits } from '../backbones/image/pixels.js';
import { AppError } from '../errors.js';
import { type Head, headBytes, score } from '../heads/head.js';
import { readTfjsLayers } from '../heads/tfjs-layers.js';
import type { Registry } from '../registry/registry.js';
import type { BackboneCard } from '../schemas/backbones.js';
import type { VersionManifest } from '../schemas/versions.js';
import { TopQueue } from '../top/top-queue.js';
import { readTopWeights, type TopWeights, topBytes } from '../top/weights.js';
import { Batcher, type BatcherOptions } from './batcher.js';
import { Explainer, type ExplainOptions, type Explanation } from './explainer.js';

export interface PredictorOptions {
  backbones: Backbones;
  registry: Registry;
  limits: ImageLimits;
  /** Most images in one backbone pass. */
  maxBatch: number;
  /** Most images waiting; more are refused. */
  maxWaiting: number;
  /** Most images waiting of one tenant, so that none fills the queue alone. Default: `maxWaiting`. */
  maxWaitingPerTenant?: number;
  /** Memory for heads. */
  headCacheBytes: number;
  /** Images decoded at once: as many as there are cores. */
  decoders: number;
  onBatch?: BatcherOptions['onBatch'];
}

export interface ImagePrediction {
  predictions: { label: string; score: number }[];
  explanation?: Explanation;
}

export interface PredictionTimings {
  decode_ms: number;
  queue_ms: number;
  inference_ms: number;
  total_ms: number;
}

/** What belongs to one version: its head and, where it was trained, its part of the backbone. */
interface Loaded {
  head: Head;
  topWeights: TopWeights | undefined;
}

/** Classifies images with any version of any model; backbones and batches are shared by all of them. */
export class Predictor {
  readonly #options: PredictorOptions;
  readonly #decoding: ReturnType<typeof pLimit>;
  readonly #explainer: Explainer;
  /** By the loaded backbone, not its id: one whose thread has died is loaded anew. */
  readonly #batchers = new WeakMap<Backbone, Batcher>();
  readonly #queues = new WeakMap<CutBackbone, TopQueue>();
  readonly #heads: LRUCache<string, Loaded, { tenant: string; manifest: VersionManifest }>;
  #room: Float32Array = new Float32Array(0);
  #waiting = 0;
  readonly #waitingOf = new Map<string, number>();

  constructor(options: PredictorOptions) {
    this.#options = options;
    this.#decoding = pLimit(options.decoders);
    this.#explainer = new Explainer({ registry: options.registry });
    this.#heads = new LRUCache({
      maxSize: options.headCacheBytes,
      sizeCalculation: ({ head, topWeights }) => headBytes(head) + (topWeights ? topBytes(topWeights) : 0),
      dispose: ({ topWeights }) => topWeights && options.backbones.forgetTop(topWeights.key),
      fetchMethod: (_key, _stale, { context }) => this.#loadHead(context.tenant, context.manifest),
    });
  }

  /** For metrics. */
  get load(): { waiting: number; heads: number; headBytes: number } {
    return { waiting: this.#waiting, heads: this.#heads.size, headBytes: this.#heads.calculatedSize };
  }

  /**
   * Classify images.
   * @param options images: their bytes as uploaded; topK: predictions per image; explain: say why, too
   * @returns one answer per image, in order
   * @throws AppError `overloaded` before any work; `content_*` naming the image; `backbone_mismatch`
   */
  async predict(options: {
    tenant: string;
    manifest: VersionManifest;
    images: { name: string; bytes: Uint8Array }[];
    topK: number;
    explain?: ExplainOptions;
    signal?: AbortSignal;
  }): Promise<{ results: ImagePrediction[]; timings: PredictionTimings }> {
    const { tenant, manifest, images, topK, explain, signal } = options;
    this.#enter(tenant, images.length);
    try {
      const began = performance.now();
      const { head, topWeights } = await this.#head(tenant, manifest);
      const { batcher, finish } = await this.#pass(manifest, topWeights);
      const slowest = { decode: 0, queue: 0, inference: 0 };
      const outcomes = await Promise.allSettled(
        images.map(async ({ bytes }): Promise<ImagePrediction> => {
          const start = performance.now();
          const pixels = await this.#decoding(() => this.#decode(bytes, batcher.card, signal));
          slowest.decode = Math.max(slowest.decode, performance.now() - start);
          const seen = explain && pixels.slice(); // the pass may take the pixels away
          const embedded = await batcher.embed(pixels, signal);
          slowest.queue = Math.max(slowest.queue, embedded.queueMs);
          slowest.inference = Math.max(slowest.inference, embedded.inferenceMs);
          const features = await finish(embedded.features);
          const scores = score(head, features, this.#scores(manifest.labels.length));
          const predictions = best(scores, manifest.labels, topK);
          if (!seen) return { predictions };
          const { backbone } = batcher;
          const label = explain.label ?? predictions[0]!.label;
          const image = { pixels: seen, features, label, nearest: explain.nearest };
          return {
            predictions,
            explanation: await this.#explainer.explain({ tenant, manifest, head, backbone, ...image }),
          };
        }),
      );
      const results = unwrap(outcomes, images);
      return {
        results,
        timings: {
          decode_ms: round(slowest.decode),
          queue_ms: round(slowest.queue),
          inference_ms: round(slowest.inference),
          total_ms: round(performance.now() - began),
        },
      };
    } finally {
      this.#leave(tenant, images.length);
    }
  }

  /** @throws AppError `overloaded` where the queue, or the tenant's part of it, has no room */
  #enter(tenant: string, images: number): void {
    const { maxWaiting, maxWaitingPerTenant = maxWaiting } = this.#options;
    const mine = this.#waitingOf.get(tenant) ?? 0;
    if (this.#waiting + images > maxWaiting || mine + images > maxWaitingPerTenant) {
      throw new AppError('overloaded', `${this.#waiting} images are waiting already. Try again in a second.`, {
        details: { retry_after: 1 },
      });
    }
    this.#waiting += images;
    this.#waitingOf.set(tenant, mine + images);
  }

  #leave(tenant: string, images: number): void {
    this.#waiting -= images;
    const mine = this.#waitingOf.get(tenant)! - images;
    if (mine > 0) this.#waitingOf.set(tenant, mine);
    else this.#waitingOf.delete(tenant);
  }

  async #decode(bytes: Uint8Array, card: BackboneCard, signal?: AbortSignal): Promise<Uint8Array> {
    if (signal?.aborted) throw new AppError('client_closed_request', 'The client left before its turn.');
    return decodeImage(bytes, card, this.#options.limits);
  }

  async #head(tenant: string, manifest: VersionManifest): Promise<Loaded> {
    const key = `${tenant}/${manifest.model}/${manifest.version}/${manifest.digest}`;
    return (await this.#heads.fetch(key, { context: { tenant, manifest } }))!;
  }

  async #loadHead(tenant: string, manifest: VersionManifest): Promise<Loaded> {
    const read = (path: string) => this.#options.registry.read(tenant, manifest, path);
    const [model, weights] = await Promise.all([read('head/model.json'), read('head/weights.bin')]);
    const head = readTfjsLayers({ model: model.toString('utf8'), weights });
    if (!manifest.top) return { head, topWeights: undefined };
    const [index, values] = await Promise.all([read('top/weights.json'), read('top/weights.bin')]);
    return { head, topWeights: readTopWeights({ index: index.toString('utf8'), weights: values }) };
  }

  /** Room for the scores of one image, used again as long as heads have as many classes. */
  #scores(classes: number): Float32Array {
    if (this.#room.length !== classes) this.#room = new Float32Array(classes);
    return this.#room;
  }

  /** The shared pass of a version, and what follows it for this version alone. */
  async #pass(manifest: VersionManifest, topWeights: TopWeights | undefined) {
    const { backbone, top } = manifest;
    if (!top || !topWeights)
      return { batcher: await this.#batcher(manifest), finish: async (row: Float32Array) => row };
    const weights = new Map([...topWeights.weights].map(([name, { dims }]) => [name, dims]));
    const split = await this.#options.backbones.loadCut(backbone, top.cut, weights);
    const queue = this.#queues.get(split) ?? new TopQueue({ split });
    this.#queues.set(split, queue);
    return { batcher: this.#batcherOf(split), finish: (row: Float32Array) => queue.run(topWeights, row) };
  }

  /** One batcher per backbone, made when first needed. */
  async #batcher({ backbone }: VersionManifest): Promise<Batcher> {
    return this.#batcherOf(await this.#options.backbones.loadFor(backbone));
  }

  #batcherOf(loaded: Backbone): Batcher {
    const { maxBatch, onBatch } = this.#options;
    let batcher = this.#batchers.get(loaded);
    if (!batcher) {
      batcher = new Batcher({ backbone: loaded, maxBatch, ...(onBatch && { onBatch }) });
      this.#batchers.set(loaded, batcher);
    }
    return batcher;
  }
}

/** All answers, or one error that names every image that failed. */
function unwrap<T>(outcomes: PromiseSettledResult<T>[], images: { name: string }[]): T[] {
  const faults = outcomes.flatMap((outcome, index) =>
    outcome.status === 'rejected' ? [{ index, error: outcome.reason as unknown }] : [],
  );
  const first = faults[0];
  if (!first) return outcomes.map((outcome) => (outcome as PromiseFulfilledResult<T>).value);
  const unexpected = faults.find(({ error }) => !(error instanceof AppError) || !error.code.startsWith('content_'));
  if (unexpected) throw unexpected.error;
  const { code, message } = first.error as AppError;
  if (images.length === 1) throw first.error;
  throw new AppError(code, `${images[first.index]!.name}: ${message}`, {
    details: {
      images: faults.map(({ index, error }) => ({
        index,
        name: images[index]!.name,
        code: (error as AppError).code,
        reason: (error as AppError).message,
      })),
    },
  });
}

/** The `topK` most probable labels, best first. */
function best(scores: Float32Array, labels: string[], topK: number): { label: string; score: number }[] {
  const order = [...scores.keys()].sort((a, b) => scores[b]! - scores[a]!);
  return order.slice(0, topK).map((k) => ({ label: labels[k]!, score: Math.round(scores[k]! * 1e6) / 1e6 }));
}

function round(ms: number): number {
  return Math.round(ms * 100) / 100;
}
