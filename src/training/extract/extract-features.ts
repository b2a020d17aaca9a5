import type { Backbone, Variation } from '../../backbones/contract.js';
import type { FeatureCache, FeatureKey } from '../../backbones/feature-cache.js';
import type { Modality } from '../../backbones/modality.js';
import { AppError } from '../../errors.js';
import { type FeatureRow, type Features, isSparse, rowOf, stacked } from '../../numbers/features.js';
import type { LabelledExample, RefusedFile } from '../../schemas/datasets.js';
import type { Augmentation } from '../../schemas/jobs.js';

export interface ExtractOptions {
  entries: LabelledExample[];
  /** The contents of these, in the order in which they are named. */
  readForward: (entries: LabelledExample[]) => AsyncGenerator<Buffer, void>;
  backbone: Backbone;
  cache: FeatureCache;
  vary: Modality['vary'];
  /** Varied copies are made of these examples. */
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
  /** Of the examples in `kept`, then of their varied copies. */
  features: Features;
  /** Index into `entries` of each example whose features are there. */
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
 * Features of every example, from the cache or by the backbone. Several lanes each make a batch ready, pass it through the
 * backbone and hand it to the cache, so that all three go on at once; what is stored survives a crash. Content that cannot
 * be read is skipped and named. Features that are not worth caching are computed each time. Contents are read forward, in
 * the order in which lanes take them.
 * @throws AppError `no_examples` when none can be read
 */
export async function extractFeatures(options: ExtractOptions): Promise<Extracted> {
  const { entries, backbone, augmentation, vary } = options;
  const dimensions = backbone.card.features.dimensions;
  const began = performance.now();
  const tasks = [...entries.keys()].map((entry) => taskFor(options, entry, undefined, ''));
  for (const entry of augmentation?.images ?? []) {
    const { settings } = augmentation!;
    for (let copy = 0; copy < settings.copies; copy += 1) {
      const variation = vary?.(settings, entries[entry]!.sha256, copy);
      tasks.push(taskFor(options, entry, variation, JSON.stringify(variation)));
    }
  }
  const cache = backbone.cacheable ? options.cache : undefined;
  const features: (FeatureRow | undefined)[] = tasks.map(({ key }) => cache?.get(key, dimensions));
  const missing = [...tasks.keys()].filter((index) => features[index] === undefined);
  const cached = tasks.length - missing.length;
  const skipped = new Map<number, RefusedFile>();
  const report = progressReporter(options, tasks.length, cached);
  report(0);

  const batch = backbone.batch.extracting;
  const contents = options.readForward(missing.map((index) => entries[tasks[index]!.entry]!));
  const store = cacheWriter(options);
  let next = 0;
  let computed = 0;
  const lane = async () => {
    while (next < missing.length) {
      const indices = missing.slice(next, next + batch);
      next += indices.length;
      // Each asks for its content at once, so that contents come to those who named them.
      const tried = await Promise.all(
        indices.map((index) => prepare({ ...options, contents }, tasks[index]!, index, skipped)),
      );
      const ready = tried.filter((example) => example !== undefined);
      if (ready.length > 0) {
        const output = await backbone.embed(ready.map(({ prepared }) => prepared));
        for (const [row, { index }] of ready.entries()) {
          const found = rowOf(output, row);
          features[index] = found;
          if (cache && !isSparse(found)) store.add({ key: tasks[index]!.key, features: found });
        }
      }
      computed += indices.length;
      report(computed);
    }
  };
  // Two for each pass: one whose examples it computes, one that makes the next ready.
  const lanes = Array.from({ length: 2 * backbone.passes }, () =>
    lane().catch((error: unknown) => {
      next = missing.length; // the other lanes end with what they have begun
      throw error;
    }),
  );
  try {
    await Promise.all(lanes);
  } finally {
    await Promise.allSettled(lanes);
    await Promise.allSettled([contents.return(), store.written()]);
  }

  const kept = [...entries.keys()].filter((entry) => features[entry] !== undefined);
  if (kept.length === 0) throw new AppError('no_examples', 'None of the examples of this data set can be read.');
  const place = new Map(kept.map((entry, row) => [entry, row]));
  const rows = [...kept, ...[...tasks.keys()].slice(entries.length).filter((index) => features[index] !== undefined)];
  const seconds = (performance.now() - began) / 1000;
  return {
    features: stacked(
      rows.map((index) => features[index]!),
      dimensions,
    ),
    kept,
    origin: Int32Array.from(rows, (index) => place.get(tasks[index]!.entry)!),
    skipped: [...skipped.values()],
    cached,
    perSecond: missing.length > 0 ? missing.length / seconds : null,
    seconds,
  };
}

function taskFor(options: ExtractOptions, entry: number, variation: Variation | undefined, text: string): Task {
  const { card, recipe } = options.backbone;
  const content = options.entries[entry]!.sha256;
  return { entry, variation, key: { content, backbone: card.sha256, recipe, variation: text } };
}

async function prepare(
  { entries, backbone, contents }: ExtractOptions & { contents: AsyncGenerator<Buffer, void> },
  task: Task,
  index: number,
  skipped: Map<number, RefusedFile>,
) {
  const entry = entries[task.entry]!;
  try {
    const { value: content } = await contents.next();
    if (!content) throw new Error(`Reading ended before ${entry.name}.`);
    return { index, prepared: await backbone.prepare(content, task.variation) };
  } catch (error) {
    if (!(error instanceof AppError) || !error.code.startsWith('content_')) throw error;
    skipped.set(task.entry, { name: entry.name, code: error.code, reason: error.message });
    return undefined;
  }
}

/** Speed and time left, from the examples that this run computes itself. */
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

type Stored = Parameters<FeatureCache['putAll']>[0];

/** Writes to the cache one transaction after another, each with all that came meanwhile. */
function cacheWriter({ cache, onCacheError }: ExtractOptions) {
  let waiting: Stored = [];
  let writing: Promise<void> | undefined;
  const write = async () => {
    while (waiting.length > 0) {
      const entries = waiting;
      waiting = [];
      // A cache that cannot be written, on a full disk say, costs time and not the job.
      await cache.putAll(entries).catch(onCacheError);
    }
    writing = undefined;
  };
  return {
    add(entry: Stored[number]) {
      waiting.push(entry);
      writing ??= write();
    },
    written: async () => writing,
  };
}
