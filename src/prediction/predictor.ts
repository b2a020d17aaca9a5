import { LRUCache } from 'lru-cache';
import pLimit from 'p-limit';
import type { Backbones } from '../backbones/backbones.js';
import type { Backbone } from '../backbones/contract.js';
import { AppError } from '../errors.js';
import { applyHead, readHead, type ServedHead, servedBytes } from '../heads/served-head.js';
import { rounded } from '../numbers/scores.js';
import type { Registry } from '../registry/registry.js';
import type { VersionManifest } from '../schemas/versions.js';
import { serveTop } from '../top/serving.js';
import { Batcher, type BatcherOptions } from './batcher.js';
import { Explainer, type ExplainOptions, type Explanation } from './explainer.js';
import { type ServedFeatures, wholeBackbone } from './whole-backbone.js';

export interface PredictorOptions {
  backbones: Backbones;
  registry: Pick<Registry, 'read'>;
  /** Most examples in one backbone pass; 0: what the backbone recommends. */
  maxBatch: number;
  /** Most examples waiting; more are refused. */
  maxWaiting: number;
  /** Most examples waiting of one tenant, so that none fills the queue alone. Default: `maxWaiting`. */
  maxWaitingPerTenant?: () => number;
  /** Memory for heads. */
  headCacheBytes: number;
  /** Examples made ready at once: as many as there are cores. */
  decoders: number;
  onBatch?: BatcherOptions['onBatch'];
}

const PACE_MS = 10_000;
const MAX_RETRY_SECONDS = 60;

/** Content to classify. */
export interface NamedContent {
  /** For errors. */
  name: string;
  bytes: Uint8Array;
}

export interface ExamplePrediction {
  predictions: { label: string; score: number }[];
  explanation?: Explanation;
  /** Why it has no predictions. */
  error?: { code: string; detail: string };
}

export interface PredictionTimings {
  decode_ms: number;
  queue_ms: number;
  inference_ms: number;
  total_ms: number;
}

/** What belongs to one version. */
interface Loaded {
  head: ServedHead;
  served: ServedFeatures;
}

/** What all examples of one request have in common. */
interface Request {
  tenant: string;
  manifest: VersionManifest;
  topK: number;
  explain?: ExplainOptions | undefined;
  /** Answer the other examples where one cannot be read. */
  partial?: boolean | undefined;
  signal?: AbortSignal | undefined;
}

/** Classifies examples with any version of any model; backbones and batches are shared by all of them. */
export class Predictor {
  readonly #options: PredictorOptions;
  readonly #preparing: ReturnType<typeof pLimit>;
  readonly #explainer: Explainer;
  /** By the loaded backbone, not its id: one whose thread has died is loaded anew. */
  readonly #batchers = new WeakMap<Backbone, Batcher>();
  readonly #versions: LRUCache<string, Loaded, { tenant: string; manifest: VersionManifest }>;
  #room: Float32Array = new Float32Array(0);
  #waiting = 0;
  readonly #waitingOf = new Map<string, number>();
  /** Examples answered since a moment not long ago. */
  #pace = { answered: 0, since: performance.now() };

  constructor(options: PredictorOptions) {
    this.#options = options;
    this.#preparing = pLimit(options.decoders);
    this.#explainer = new Explainer({ registry: options.registry });
    this.#versions = new LRUCache({
      maxSize: options.headCacheBytes,
      sizeCalculation: ({ head, served }) => servedBytes(head) + served.bytes,
      dispose: ({ served }) => served.close(),
      fetchMethod: (_key, _stale, { context }) => this.#load(context.tenant, context.manifest),
    });
  }

  /** For metrics. */
  get load(): { waiting: number; heads: number; headBytes: number } {
    return { waiting: this.#waiting, heads: this.#versions.size, headBytes: this.#versions.calculatedSize };
  }

  /**
   * Classify examples.
   * @param options examples: their content as it came; topK: predictions per example; explain: say why, too
   * @returns one answer per example, in order
   * @throws AppError `overloaded` before any work; `content_*` naming the example; `backbone_mismatch`
   */
  async predict(
    options: Request & { examples: NamedContent[] },
  ): Promise<{ results: ExamplePrediction[]; timings: PredictionTimings }> {
    const { tenant, manifest, examples } = options;
    this.#enter(tenant, examples.length);
    try {
      const began = performance.now();
      const { head, served } = await this.#version(tenant, manifest);
      const { backbone, finish } = await served.begin();
      const batcher = this.#batcherOf(backbone);
      const slowest = { decode: 0, queue: 0, inference: 0 };
      const outcomes = await Promise.allSettled(
        examples.map(async ({ bytes }): Promise<ExamplePrediction> => {
          const start = performance.now();
          const prepared = await this.#preparing(() => prepare(backbone, bytes, options.signal));
          slowest.decode = Math.max(slowest.decode, performance.now() - start);
          const embedded = await batcher.embed(prepared, options.signal);
          slowest.queue = Math.max(slowest.queue, embedded.queueMs);
          slowest.inference = Math.max(slowest.inference, embedded.inferenceMs);
          const features = await finish(embedded.features);
          const scores = applyHead(head, features, this.#scores(manifest.labels.length));
          const predictions = best(scores, manifest.labels, options.topK);
          if (!options.explain) return { predictions };
          const { label = predictions[0]!.label, nearest, scale } = options.explain;
          const example = { prepared, features, label, nearest, scale };
          const explanation = await this.#explainer.explain({ tenant, manifest, head, backbone, ...example });
          return { predictions, explanation };
        }),
      );
      return {
        results: unwrap(outcomes, examples, options.partial),
        timings: {
          decode_ms: rounded(slowest.decode, 2),
          queue_ms: rounded(slowest.queue, 2),
          inference_ms: rounded(slowest.inference, 2),
          total_ms: rounded(performance.now() - began, 2),
        },
      };
    } finally {
      this.#leave(tenant, examples.length);
    }
  }

  /** @throws AppError `overloaded` where the queue, or the tenant's part of it, has no room */
  #enter(tenant: string, examples: number): void {
    const { maxWaiting, maxWaitingPerTenant = () => maxWaiting } = this.#options;
    const mine = this.#waitingOf.get(tenant) ?? 0;
    if (this.#waiting + examples > maxWaiting || mine + examples > maxWaitingPerTenant()) {
      const seconds = this.#secondsLeft();
      throw new AppError('overloaded', `${this.#waiting} examples are waiting already. Try again in ${seconds} s.`, {
        details: { retry_after: seconds },
      });
    }
    this.#waiting += examples;
    this.#waitingOf.set(tenant, mine + examples);
  }

  /** How long those that wait will take, as fast as it went in the last seconds. */
  #secondsLeft(): number {
    const { answered, since } = this.#pace;
    const perSecond = answered / Math.max((performance.now() - since) / 1000, 0.001);
    return answered === 0 ? 1 : Math.min(Math.max(Math.ceil(this.#waiting / perSecond), 1), MAX_RETRY_SECONDS);
  }

  #leave(tenant: string, examples: number): void {
    this.#waiting -= examples;
    if (performance.now() - this.#pace.since > PACE_MS) this.#pace = { answered: 0, since: performance.now() };
    this.#pace.answered += examples;
    const mine = this.#waitingOf.get(tenant)! - examples;
    if (mine > 0) this.#waitingOf.set(tenant, mine);
    else this.#waitingOf.delete(tenant);
  }

  async #version(tenant: string, manifest: VersionManifest): Promise<Loaded> {
    const key = `${tenant}/${manifest.model}/${manifest.version}/${manifest.digest}`;
    return (await this.#versions.fetch(key, { context: { tenant, manifest } }))!;
  }

  async #load(tenant: string, manifest: VersionManifest): Promise<Loaded> {
    const { backbones, registry } = this.#options;
    const read = (path: string) => registry.read(tenant, manifest, path);
    const { top } = manifest;
    const [head, served] = await Promise.all([
      readHead(manifest.files, read),
      top ? serveTop({ backbones, manifest: { ...manifest, top }, read }) : wholeBackbone(backbones, manifest),
    ]);
    return { head, served };
  }

  /** Room for the scores of one example, used again as long as heads have as many classes. */
  #scores(classes: number): Float32Array {
    if (this.#room.length !== classes) this.#room = new Float32Array(classes);
    return this.#room;
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

/** Off the event loop, and not at all for a client who has left. */
async function prepare<P>(backbone: Backbone<P>, bytes: Uint8Array, signal?: AbortSignal): Promise<P> {
  if (signal?.aborted) throw new AppError('client_closed_request', 'The client left before its turn.');
  return backbone.prepare(bytes);
}

/** All answers, or one error that names every example that failed; `partial`: answers with the errors among them. */
function unwrap(
  outcomes: PromiseSettledResult<ExamplePrediction>[],
  examples: { name: string }[],
  partial = false,
): ExamplePrediction[] {
  const faults = outcomes.flatMap((outcome, index) =>
    outcome.status === 'rejected' ? [{ index, error: outcome.reason as unknown }] : [],
  );
  const first = faults[0];
  const unexpected = faults.find(({ error }) => !(error instanceof AppError) || !error.code.startsWith('content_'));
  if (unexpected) throw unexpected.error;
  if (!first || partial) {
    return outcomes.map((outcome) => {
      if (outcome.status === 'fulfilled') return outcome.value;
      const { code, message: detail } = outcome.reason as AppError;
      return { predictions: [], error: { code, detail } };
    });
  }
  const { code, message } = first.error as AppError;
  if (examples.length === 1) throw first.error;
  throw new AppError(code, `${examples[first.index]!.name}: ${message}`, {
    details: {
      examples: faults.map(({ index, error }) => ({
        index,
        name: examples[index]!.name,
        code: (error as AppError).code,
        reason: (error as AppError).message,
      })),
    },
  });
}

/** The `topK` most probable labels, best first. */
function best(scores: Float32Array, labels: string[], topK: number): { label: string; score: number }[] {
  const order = [...scores.keys()].sort((a, b) => scores[b]! - scores[a]!);
  return order.slice(0, topK).map((k) => ({ label: labels[k]!, score: rounded(scores[k]!, 6) }));
}
