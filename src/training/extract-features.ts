import { AppError } from '../errors.js';
import type { Augmentation, DatasetEntry, RefusedFile } from '../schemas.js';
import type { Backbone } from '../vision/backbone.js';
import type { FeatureCache, FeatureKey } from '../vision/feature-cache.js';
import { decodeImage, type ImageLimits, type Variation } from '../vision/images.js';
import { drawVariation } from './augmentation.js';

/** Images in one pass of the backbone; also the most that a crash makes the next attempt do again. */
const BATCH = 16;

export interface ExtractOptions {
  entries: DatasetEntry[];
  readImage: (entry: DatasetEntry) => Promise<Buffer>;
  backbone: Backbone;
  cache: FeatureCache;
  limits: ImageLimits;
  /** Varied copies are made of these images. */
  augmentation: { settings: Augmentation; images: number[] } | undefined;
  onProgress: (progress: ExtractProgress) => void;
  /** The cache could not be written. */
  onCacheError: (error: unknown) => void;
}

export interface ExtractProgress {
  done: number;
  total: number;
  cached: number;
  perSecond: number | null;
  secondsLeft: number | null;
}

export interface Extracted {
  /** Features of the images in `kept`, then of their varied copies; float32 `[rows, D]`. */
  x: Float32Array;
  /** Index into `entries` of each image whose features are there. */
  kept: number[];
  /** Index into `kept` for each row. */
  origin: Int32Array;
  skipped: RefusedFile[];
  cached: number;
  perSecond: number | null;
  seconds: number;
}

interface Task {
  entry: number;
  variation: Variation | undefined;
  key: FeatureKey;
}

/**
 * Features of every image, from the cache or by the backbone. While the backbone works on one batch, the next is decoded
 * and the last one stored; what is stored survives a crash. Images that cannot be decoded are skipped and named.
 * @throws AppError `no_images` when none can be decoded
 */
export async function extractFeatures(options: ExtractOptions): Promise<Extracted> {
  const { entries, backbone, cache, augmentation } = options;
  const dimensions = backbone.card.features.dimensions;
  const began = performance.now();
  const tasks = [...entries.keys()].map((entry) => taskFor(options, entry, undefined, ''));
  for (const entry of augmentation?.images ?? []) {
    const { settings } = augmentation!;
    for (let copy = 0; copy < settings.copies; copy += 1) {
      const variation = drawVariation(settings, entries[entry]!.sha256, copy);
      tasks.push(taskFor(options, entry, variation, JSON.stringify(variation)));
    }
  }
  const features: (Float32Array | undefined)[] = tasks.map(({ key }) => cache.get(key, dimensions));
  const missing = [...tasks.keys()].filter((index) => features[index] === undefined);
  const cached = tasks.length - missing.length;
  const skipped = new Map<number, RefusedFile>();
  const report = progressReporter(options, tasks.length, cached);
  report(0);

  const batches: number[][] = [];
  for (let start = 0; start < missing.length; start += BATCH) batches.push(missing.slice(start, start + BATCH));
  const decode = (batch: number[] | undefined) =>
    inBackground(Promise.all((batch ?? []).map((index) => decodeTask(options, tasks[index]!, index, skipped))));
  let decoding = decode(batches[0]);
  let storing: Promise<void> = Promise.resolve();
  try {
    for (const number of batches.keys()) {
      const decoded = (await decoding).filter((image) => image !== undefined);
      decoding = decode(batches[number + 1]);
      if (decoded.length > 0) {
        const output = await backbone.embed(Buffer.concat(decoded.map(({ pixels }) => pixels)), decoded.length);
        const stored = decoded.map(({ index }, row) => {
          features[index] = output.slice(row * dimensions, (row + 1) * dimensions);
          return { key: tasks[index]!.key, features: features[index] };
        });
        await storing;
        // A cache that cannot be written, on a full disk say, costs time and not the job.
        storing = cache.putAll(stored).catch(options.onCacheError);
      }
      report(Math.min(missing.length, (number + 1) * BATCH));
    }
  } finally {
    await Promise.allSettled([decoding, storing]);
  }
  await storing;

  const kept = [...entries.keys()].filter((entry) => features[entry] !== undefined);
  if (kept.length === 0) throw new AppError('no_images', 'None of the images of this data set can be decoded.');
  const place = new Map(kept.map((entry, row) => [entry, row]));
  const rows = [...kept, ...[...tasks.keys()].slice(entries.length).filter((index) => features[index] !== undefined)];
  const x = new Float32Array(rows.length * dimensions);
  rows.forEach((index, row) => {
    x.set(features[index]!, row * dimensions);
  });
  const seconds = (performance.now() - began) / 1000;
  return {
    x,
    kept,
    origin: Int32Array.from(rows, (index) => place.get(tasks[index]!.entry)!),
    skipped: [...skipped.values()],
    cached,
    perSecond: missing.length > 0 ? missing.length / seconds : null,
    seconds,
  };
}

function taskFor(options: ExtractOptions, entry: number, variation: Variation | undefined, text: string): Task {
  const image = options.entries[entry]!.sha256;
  return { entry, variation, key: { image, backbone: options.backbone.card.sha256, variation: text } };
}

async function decodeTask(options: ExtractOptions, task: Task, index: number, skipped: Map<number, RefusedFile>) {
  const entry = options.entries[task.entry]!;
  try {
    const bytes = await options.readImage(entry);
    return { index, pixels: await decodeImage(bytes, options.backbone.card, options.limits, task.variation) };
  } catch (error) {
    if (!(error instanceof AppError) || !error.code.startsWith('image_')) throw error;
    skipped.set(task.entry, { name: entry.name, code: error.code, reason: error.message });
    return undefined;
  }
}

/** Speed and time left, from the images that this run computes itself. */
function progressReporter({ onProgress }: ExtractOptions, total: number, cached: number) {
  const began = performance.now();
  return (computed: number) => {
    const seconds = (performance.now() - began) / 1000;
    const perSecond = computed > 0 && seconds > 0 ? computed / seconds : null;
    const done = cached + computed;
    onProgress({
      done,
      total,
      cached,
      perSecond,
      secondsLeft: perSecond === null ? (done === total ? 0 : null) : (total - done) / perSecond,
    });
  };
}

/** A promise that is awaited later: its failure is seen then, and is not unhandled until then. */
function inBackground<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}
