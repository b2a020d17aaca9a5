/** Entry point of the process that runs one job: reads the record from its parent, does what its kind says, ends. */

import { Backbones } from '../backbones/backbones.js';
import { FeatureCache } from '../backbones/feature-cache.js';
import { type Config, loadConfig } from '../config.js';
import { Datasets } from '../datasets/datasets.js';
import { AppError } from '../errors.js';
import type { JobMessage, RunMessage } from '../jobs/job-messages.js';
import type { JobRecord } from '../jobs/job-store.js';
import { standBack } from '../jobs/stand-back.js';
import { Registry } from '../registry/registry.js';
import type { IntakeInput, JobOutput, PullInput, RecommendInput, TrainInput } from '../schemas/jobs.js';
import { openStorage } from '../storage/open-storage.js';
import { backbonesOf } from './backbones-of.js';
import { backbonesOptions, datasetsOptions } from './composition.js';
import { understood } from './intake-rules.js';
import { pulled } from './pull-rules.js';
import { published } from './training-rules.js';

const tell = (message: JobMessage, then: () => void = () => undefined) => {
  if (process.connected) process.send!(message, then);
};
/** The last word: this process ends when its parent has it. */
const tellAndExit = (message: JobMessage) => tell(message, () => process.exit(0));

/** Kinds of jobs after which another may follow here. What comes from outside is read in a process of its own. */
const MAY_FOLLOW = new Set(['train', 'recommend']);
/** A process that has grown larger than this, of more jobs than that, ends with its job. */
const MAX_WAITING_BYTES = 1.5 * 2 ** 30;
const MAX_JOBS = 50;
let jobs = 0;

process.env.TF_CPP_MIN_LOG_LEVEL ??= '1'; // TensorFlow's notes about processors are no news

// SIGTERM has no handler: an orderly exit while the backbone's thread computes ends in an abort of the native library.
// Without a worker nobody would know of the end, so its going away ends this process in the same way.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
process.on('message', (message: unknown) => void run((message as RunMessage).record));

/** What the process of a job does, by the kind of the job. */
const KINDS: Record<string, (record: JobRecord, config: Config) => Promise<JobOutput>> = {
  train,
  intake,
  pull,
  recommend,
};

async function run(record: JobRecord): Promise<void> {
  try {
    const config = loadConfig(process.env);
    standBack(config.JOB_NICE);
    const output = await KINDS[record.kind]!(record, config);
    jobs += 1;
    if (!MAY_FOLLOW.has(record.kind) || jobs >= MAX_JOBS || process.memoryUsage.rss() > MAX_WAITING_BYTES) {
      return tellAndExit({ type: 'done', output });
    }
    tell({ type: 'done', output });
    tell({ type: 'ready' });
  } catch (error) {
    const known = error instanceof AppError;
    if (!known) process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
    const message = known ? error.message : 'An unexpected error ended the job; the worker logged it.';
    const details = known && Object.keys(error.details).length > 0 ? { details: error.details } : {};
    tellAndExit({ type: 'failed', code: known ? error.code : 'internal', message, ...details });
  }
}

let opening: Promise<{ opened: Awaited<ReturnType<typeof openStorage>>; backbones: Backbones }> | undefined;

/** Storage and backbones, opened once: the next job finds its backbone loaded. */
function workplace(config: Config) {
  opening ??= openStorage(config).then((opened) => {
    return { opened, backbones: new Backbones(backbonesOptions(config, opened.storage)) };
  });
  return opening;
}

async function train({ tenant, id, input }: JobRecord, config: Config): Promise<JobOutput> {
  const { dataset, model, backbone, settings } = input as unknown as TrainInput;
  const { opened, backbones } = await workplace(config);
  // In its own thread, while this one loads its modules; if it fails, training says so.
  backbones.load(backbone).catch(() => undefined);
  const { runTraining } = await import('../training/run-training.js');
  const cache = await FeatureCache.open({ folder: config.CACHE_DIR, maxBytes: config.FEATURE_CACHE_BYTES });
  const warnings: string[] = [];
  const manifest = await runTraining({
    tenant,
    job: id,
    dataset,
    settings: { ...settings, model, backbone },
    datasets: new Datasets(datasetsOptions(config, opened)),
    registry: new Registry(opened),
    backbones,
    cache,
    onProgress: (progress) => tell({ type: 'progress', progress }),
    onEvent: (event) => {
      if (event.type === 'warning') warnings.push(event.message);
      tell({ type: 'event', event });
    },
  });
  await cache.close();
  return { ...published(manifest), ...(warnings.length > 0 && { warnings }) };
}

async function recommend({ tenant, input }: JobRecord, config: Config): Promise<JobOutput> {
  const { dataset } = input as unknown as RecommendInput;
  const { opened, backbones } = await workplace(config);
  const { recommendBackbone } = await import('../training/recommend.js');
  const cache = await FeatureCache.open({ folder: config.CACHE_DIR, maxBytes: config.FEATURE_CACHE_BYTES });
  const recommended = await recommendBackbone({
    tenant,
    dataset,
    datasets: new Datasets(datasetsOptions(config, opened)),
    backbones,
    cache,
    standard: await backbonesOf(config, opened.storage).standard.id(),
    onProgress: tellProgress('trying'),
    onEvent: (event) => tell({ type: 'event', event }),
  });
  await cache.close();
  return recommended;
}

/** Progress is told at most so often. */
const TELL_MS = 250;

/** Tells the share of a phase that is done, and how long the rest may take. */
function tellProgress(phase: string): (share: number) => void {
  const started = Date.now();
  let told = 0;
  return (share) => {
    if (Date.now() - told < TELL_MS) return;
    told = Date.now();
    const secondsLeft = share > 0 ? ((told - started) / 1000 / share) * (1 - share) : null;
    tell({ type: 'progress', progress: { phase, progress: share * 0.99, seconds_left: secondsLeft } });
  };
}

async function intake({ tenant, by, input }: JobRecord, config: Config): Promise<JobOutput> {
  const { into, uploads, layout, name } = input as unknown as IntakeInput;
  const datasets = new Datasets(datasetsOptions(config, await openStorage(config)));
  const onProgress = tellProgress('unpacking');
  tell({ type: 'event', event: { type: 'phase', message: 'Unpacking', data: { phase: 'unpacking' } } });
  const how = { ...(layout && { layout }), ...(name !== undefined && { name }) };
  return understood(await datasets.createFromKept(uploads, { tenant, by, id: into, ...how, onProgress }));
}

async function pull({ input }: JobRecord, config: Config): Promise<JobOutput> {
  const { backbone: id, default: byDefault } = input as unknown as PullInput;
  const { storage } = await openStorage(config);
  const owners = backbonesOf(config, storage);
  const [{ pullBackbone }, { pullOptions }] = await Promise.all([
    import('../backbones/catalog/pull-backbone.js'),
    import('./pull-options.js'),
  ]);
  const arriving = tellProgress('downloading');
  const note = (phase: string, message: string) =>
    tell({ type: 'event', event: { type: 'phase', message, data: { phase } } });
  let phase = 'downloading';
  await pullBackbone({
    ...(await pullOptions(config, owners)),
    id,
    onNote: (message) => note(phase, message),
    // The import that follows takes some seconds.
    onProgress: (done, total) => {
      if (done >= total) phase = 'importing';
      arriving((done / total) * 0.95);
    },
  });
  const card = await owners.source.card(id);
  if (byDefault) {
    await owners.standard.choose(id);
    note('importing', `Jobs that name no backbone use ${id} from now on`);
  }
  return pulled(card);
}
