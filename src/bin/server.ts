/** Entry point of a server: the API and the predictor. */
import { execFile } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ApiKey } from '../access/api-key.js';
import { makeFirstKey, readKeyFile, watchKeyFile } from '../access/key-file.js';
import { KeyRing } from '../access/key-ring.js';
import { LastUses } from '../access/last-uses.js';
import { Artifacts } from '../artifacts/artifacts.js';
import { Backbones } from '../backbones/backbones.js';
import { type Config, isLoopback, loadConfig, unknownSettings } from '../config.js';
import { Datasets } from '../datasets/datasets.js';
import { AppError, isErrno } from '../errors.js';
import { buildApp } from '../http/app.js';
import { drainable } from '../http/drain.js';
import { addGauge, createMetrics, type Metrics } from '../http/metrics.js';
import { native } from '../http/native/dialect.js';
import { servedPage } from '../http/page/served-page.js';
import { JobQueue } from '../jobs/job-queue.js';
import { JobStore } from '../jobs/job-store.js';
import { Jobs } from '../jobs/jobs.js';
import { LiveJobs } from '../jobs/live-jobs.js';
import { firstKeyWords } from '../launch/welcome.js';
import { createLog, type Log } from '../log.js';
import { createOperations } from '../operations/operations.js';
import { Predictor } from '../prediction/predictor.js';
import { connectRedis } from '../redis/connect.js';
import { RateLimits } from '../redis/rate-limits.js';
import { Registry } from '../registry/registry.js';
import { freeBytes, lowDisks } from '../storage/disk-space.js';
import { type OpenedStorage, openStorage } from '../storage/open-storage.js';
import { checkTraining } from '../training/check-training.js';
import { backbonesOf } from './backbones-of.js';
import { backbonesOptions, catalogOf, datasetsOptions } from './composition.js';

async function main(config: Config): Promise<void> {
  if (config.REDIS_URL === '') {
    throw new AppError(
      'config_invalid',
      'A server needs REDIS_URL. `npm start` runs Redis, server and worker together.',
    );
  }
  const opened = await openStorage(config);
  const { storage } = opened;
  const log = createLog('server', config.LOG_LEVEL);
  for (const sentence of unknownSettings(process.env)) log.warn(sentence);
  const registry = new Registry({ storage });
  const { access, firstKey } = await openAccess(config, opened, log);
  const backbones = new Backbones({
    ...backbonesOptions(config, storage),
    onLoad: ({ card, provider, unavailableProviders }) =>
      log.info({ backbone: card.id, provider, unavailableProviders }, 'backbone loaded'),
  });
  const redis = connectRedis(config.REDIS_URL, log);
  const subscriber = connectRedis(config.REDIS_URL, log);
  const queue = new JobQueue({ redis, attempts: config.JOB_ATTEMPTS });
  const live = new LiveJobs({ redis, subscriber });
  const metrics = createMetrics();
  const rateLimits =
    config.RATE_LIMIT_PER_SECOND > 0 ? new RateLimits({ redis, perSecond: config.RATE_LIMIT_PER_SECOND }) : undefined;
  const predictor = new Predictor({
    backbones,
    registry,
    maxBatch: config.PREDICT_BATCH,
    maxWaiting: config.PREDICT_QUEUE,
    maxWaitingPerTenant: () => partOfQueue(config, access.tenants),
    headCacheBytes: config.HEAD_CACHE_BYTES,
    decoders: availableParallelism(),
    onBatch: ({ backbone, examples, seconds }) => {
      metrics.examples.inc({ backbone }, examples);
      metrics.batches.observe({ backbone }, examples);
      metrics.inference.observe({ backbone }, seconds);
    },
  });
  addGauges(metrics, { predictor, backbones, queue, config });
  const { standard: defaultBackbone } = backbonesOf(config, storage);
  const operations = createOperations({
    datasets: new Datasets(datasetsOptions(config, opened)),
    jobs: new Jobs({ store: new JobStore({ storage }), queue, live, log, maxOpen: config.MAX_OPEN_JOBS }),
    queue,
    registry,
    backbones,
    predictor,
    artifacts: new Artifacts({ registry, backbones }),
    checkTraining,
    defaultBackbone,
    lowDisks: () => lowDisks({ 'the data folder': config.DATA_DIR, 'the cache': config.CACHE_DIR }),
    catalog: once(() => catalogOf(config)),
    drawnPhotos: once(drawnPhotos),
    limits: config,
  });
  const app = await buildApp({
    config,
    operations,
    dialects: [native],
    page: servedPage(config),
    access,
    metrics,
    rateLimits,
    log,
  });

  const drain = drainable(app.server);
  let stopping = false;
  const stop = async () => {
    if (stopping) return;
    stopping = true;
    log.info('stopping: open requests are finished first');
    setTimeout(() => process.exit(0), config.SHUTDOWN_SECONDS * 1000).unref();
    drain();
    await app.close();
    rateLimits?.close();
    await queue.close();
    redis.disconnect();
    subscriber.disconnect();
    process.exit(0);
  };
  process.on('SIGTERM', () => void stop());
  process.on('SIGINT', () => void stop());
  process.on('disconnect', () => void stop());

  const standard = await defaultBackbone.id();
  await backbones.load(standard);
  const url = await listen(app, config);
  log.info({ url, backbone: standard }, 'server is ready');
  if (firstKey !== undefined && !process.send) process.stdout.write(`${firstKeyWords(url, firstKey)}\n`);
  process.send?.({ type: 'ready', url, firstKey, backbone: standard });
}

/**
 * Who may enter: the keys of the setting and of the key file, which is looked at again and again. Beyond loopback a service
 * without keys makes one, which may do everything. A service that had keys never opens again while it runs.
 */
async function openAccess(
  config: Config,
  { storage }: OpenedStorage,
  log: Log,
): Promise<{ access: KeyRing; firstKey: string | undefined }> {
  const { API_KEYS, KEYS_FILE, HOST } = config;
  const closed = API_KEYS.length > 0 || !isLoopback(HOST);
  const uses = new LastUses({ storage });
  const needsKey = API_KEYS.length === 0 && !isLoopback(HOST) && (await readKeyFile(KEYS_FILE)) === undefined;
  const firstKey = needsKey ? await makeFirstKey(KEYS_FILE) : undefined;
  const read = await readKeyFile(KEYS_FILE);
  const all = (named: ApiKey[] = []) => [...API_KEYS, ...named];
  const access = new KeyRing({ keys: closed || read ? all(read) : undefined, onUse: (by) => uses.note(by) });
  watchKeyFile(
    KEYS_FILE,
    (named) => {
      if (named !== undefined || !access.open) access.replace(all(named));
    },
    (err) => log.error({ err }, 'the key file cannot be read; the keys that held hold on'),
  );
  return { access, firstKey };
}

/** A zip of some MB, drawn by a process of its own. */
async function drawnPhotos(): Promise<Buffer> {
  const entry = join(import.meta.dirname, 'draw-photos.js');
  const options = { encoding: 'buffer' as const, maxBuffer: 64 * 1024 * 1024 };
  return (await promisify(execFile)(process.execPath, [entry], options)).stdout;
}

/** Made when it is first asked for; a failure is forgotten. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make().catch((error: unknown) => {
      made = undefined;
      throw error;
    });
    return made;
  };
}

/** What metrics tell of the moment in which they are asked for. */
function addGauges(
  metrics: Metrics,
  {
    predictor,
    backbones,
    queue,
    config,
  }: { predictor: Predictor; backbones: Backbones; queue: JobQueue; config: Config },
): void {
  addGauge(metrics, 'graft_waiting_examples', 'Examples waiting for a prediction', () => predictor.load.waiting);
  addGauge(metrics, 'graft_heads', 'Heads in memory', () => predictor.load.heads);
  addGauge(metrics, 'graft_head_bytes', 'Memory of these heads', () => predictor.load.headBytes);
  addGauge(metrics, 'graft_backbones', 'Backbones in memory', () => backbones.memory.backbones);
  addGauge(metrics, 'graft_backbone_bytes', 'Size of their files', () => backbones.memory.bytes);
  addGauge(
    metrics,
    'graft_jobs_reconciled_timestamp_seconds',
    'When a worker last saw to it that every promised job is in the queue or runs; NaN: unknown',
    async () => ((await queue.reconciledAt().catch(() => undefined)) ?? Number.NaN) / 1000,
  );
  for (const [name, folder] of [
    ['data', config.DATA_DIR],
    ['cache', config.CACHE_DIR],
  ] as const) {
    addGauge(metrics, `graft_${name}_disk_free_bytes`, `Room on the disk of the ${name} folder`, () =>
      freeBytes(folder).catch(() => Number.NaN),
    );
  }
  for (const state of ['waiting', 'active', 'delayed'] as const) {
    addGauge(metrics, `graft_jobs_${state}`, `Jobs in the queue: ${state}`, async () => {
      return (await queue.counts().catch(() => undefined))?.[state] ?? Number.NaN;
    });
  }
}

/** @returns the address. @throws AppError `config_invalid` where it cannot listen there */
async function listen(app: Awaited<ReturnType<typeof buildApp>>, { HOST, PORT }: Config): Promise<string> {
  try {
    return await app.listen({ host: HOST, port: PORT });
  } catch (error) {
    if (!isErrno(error, 'EADDRINUSE', 'EADDRNOTAVAIL', 'EACCES')) throw error;
    throw new AppError(
      'config_invalid',
      `Cannot listen on ${HOST}:${PORT} (${error.code}). Choose another with PORT=… or HOST=….`,
    );
  }
}

/** Where there are several tenants, none may take more than half of the places, or what one request may need. */
function partOfQueue({ PREDICT_QUEUE, MAX_PREDICT_EXAMPLES }: Config, tenants: number): number {
  return tenants > 1 ? Math.max(Math.ceil(PREDICT_QUEUE / 2), MAX_PREDICT_EXAMPLES) : PREDICT_QUEUE;
}

try {
  await main(loadConfig(process.env));
} catch (error) {
  process.stderr.write(`${error instanceof AppError ? error.message : (error as Error).stack}\n`);
  process.exit(1);
}
