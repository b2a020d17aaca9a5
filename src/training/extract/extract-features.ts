/**
 * extract/ turns the contents of a data set into features. Which examples, and what is done with their features, the stages
 * decide; what a backbone makes of one content is its own.
 */
import type { Backbone, Variation } from '../../backbones/contract.js';
import type { FeatureCache, FeatureKey } from '../../backbones/feature-cache.js';
import type { Modality } from '../../backbones/modality.js';
import { AppError } from '../../errors.js';
import { ArrivingRows, type Features, isSparse, rowOf } from '../../numbers/features.js';
import type { LabelledExample, RefusedFile } from '../../schemas/datasets.js';
import type { Augmentation } from '../../schemas/jobs.js';
import { cacheWriter } from './cache-writer.js';

export interface ExtractOptions {
  /** In the order of the pack, so that it is read forward. */
  examples: LabelledExample[];
  /** Their contents, in the order asked for. */
  readForward: (examples: LabelledExample[]) => AsyncGenerator<Buffer, void>;
  backbone: Backbone;
  cache: FeatureCache;
  vary: Modality['vary'];
  /** Varied copies are made of these examples. */
  augmentation: { settings: Augmentation; of: number[] } | undefined;
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
  /** Index into `examples` of each whose features are there. */
  kept: number[];
  /** Index into `kept` for each row. */
  origin: Int32Array;
  skipped: RefusedFile[];
  cached: number;
  perSecond: number | null;
  seconds: number;
}

interface Task {
  example: number;
  variation: Variation | undefined;
  key: FeatureKey;
}

/**
 * Features of every example, from the cache or by the backbone. Several lanes each make a batch of contents ready, pass it
 * through the backbone and hand it to the cache, so that all three go on at once; what is stored survives a crash. Contents
 * that the backbone does not take are skipped and named.
 * @throws AppError `no_examples` when it takes none
 */
export async function extractFeatures(options: ExtractOptions): Promise<Extracted> {
  const { examples, backbone, cache } = options;
  const { dimensions } = backbone.card.features;
  const began = performance.now();
  const tasks = tasksOf(options);
  const rows = new ArrivingRows(tasks.length, dimensions);
  for (const [index, { key }] of backbone.cacheable ? tasks.entries() : []) {
    rows.fill(index, (room) => cache.read(key, room));
  }
  const missing = [...tasks.keys()].filter((index) => !rows.has(index));
  const cached = tasks.length - missing.length;
  const skipped = new Map<number, RefusedFile>();
  await computeAll(options, { tasks, missing, rows, skipped });

  const kept = [...examples.keys()].filter((example) => rows.has(example));
  if (kept.length === 0) throw new AppError('no_examples', 'None of the examples of this data set can be read.');
  const place = new Map(kept.map((example, row) => [example, row]));
  const copies = [...tasks.keys()].slice(examples.length).filter((index) => rows.has(index));
  const present = [...kept, ...copies];
  const features = rows.taken();
  const seconds = (performance.now() - began) / 1000;
  return {
    features,
    kept,
    origin: Int32Array.from(present, (index) => place.get(tasks[index]!.example)!),
    skipped: [...skipped.values()],
    cached,
    perSecond: missing.length > 0 ? missing.length / seconds : null,
    seconds,
  };
}

/** Where features are kept: of each example, then of the copies, one example's after another's. */
export function keysOf(options: Pick<ExtractOptions, 'examples' | 'backbone' | 'vary' | 'augmentation'>): FeatureKey[] {
  return tasksOf(options).map(({ key }) => key);
}

function tasksOf(options: Pick<ExtractOptions, 'examples' | 'backbone' | 'vary' | 'augmentation'>): Task[] {
  const { examples, backbone, vary, augmentation } = options;
  const { card, recipe } = backbone;
  const task = (example: number, variation?: Variation): Task => {
    const key = { content: examples[example]!.sha256, backbone: card.sha256, recipe };
    return { example, variation, key: { ...key, variation: variation ? JSON.stringify(variation) : '' } };
  };
  const { settings, of } = augmentation ?? {};
  const copies = (of ?? []).flatMap((example) =>
    Array.from({ length: settings!.copies }, (_, copy) =>
      task(example, vary?.(settings!, examples[example]!.sha256, copy)),
    ),
  );
  return [...[...examples.keys()].map((example) => task(example)), ...copies];
}

/** The work of one extraction; rows and skipped are filled in. */
interface Work {
  tasks: Task[];
  missing: number[];
  rows: ArrivingRows;
  skipped: Map<number, RefusedFile>;
}

async function computeAll(options: ExtractOptions, { tasks, missing, rows, skipped }: Work): Promise<void> {
  const { examples, backbone } = options;
  const report = progressReporter(options, { total: tasks.length, cached: tasks.length - missing.length });
  report(0);
  const store = cacheWriter(options);
  const contents = options.readForward(missing.map((index) => examples[tasks[index]!.example]!));
  const prepare = async (index: number, read: Promise<IteratorResult<Buffer, void>>) => {
    const { value: content } = await read;
    const { example, variation } = tasks[index]!;
    if (!content) throw new Error(`Reading ended before ${examples[example]!.name}.`);
    const prepared = await prepareOrSkip(content, { backbone, variation, example: examples[example]! });
    if ('refused' in prepared) skipped.set(example, prepared.refused);
    return 'refused' in prepared ? undefined : { index, prepared: prepared.ready };
  };
  let [next, computed] = [0, 0];
  const lane = async () => {
    while (next < missing.length) {
      const indices = missing.slice(next, next + backbone.batch.extracting);
      next += indices.length;
      // Asked for at once, so that the contents come in the order of the tasks, whichever lane asks.
      const batch = await Promise.all(indices.map((index) => prepare(index, contents.next())));
      const ready = batch.filter((one) => one !== undefined);
      if (ready.length > 0) {
        const output = await backbone.embed(ready.map(({ prepared }) => prepared));
        for (const [row, { index }] of ready.entries()) {
          const found = rowOf(output, row);
          rows.set(index, found);
          if (backbone.cacheable && !isSparse(found)) store.add({ key: tasks[index]!.key, features: found });
        }
      }
      computed += indices.length;
      report(computed);
    }
  };
  // Two for each pass that goes on at once: one whose examples it computes, one that makes the next ready.
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
}

async function prepareOrSkip(
  content: Buffer,
  { backbone, variation, example }: { backbone: Backbone; variation: Variation | undefined; example: LabelledExample },
): Promise<{ ready: unknown } | { refused: RefusedFile }> {
  try {
    return { ready: await backbone.prepare(content, variation) };
  } catch (error) {
    if (!(error instanceof AppError) || !error.code.startsWith('content_')) throw error;
    return { refused: { name: example.name, code: error.code, reason: error.message } };
  }
}

/** Speed and time left, from the examples that this run computes itself. */
function progressReporter({ onProgress }: ExtractOptions, { total, cached }: { total: number; cached: number }) {
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
