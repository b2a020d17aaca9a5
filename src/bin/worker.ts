/** Entry point of a worker: takes jobs from the queue until it is stopped. */
import { join } from 'node:path';
import { FeatureCache } from '../backbones/feature-cache.js';
import { loadConfig } from '../config.js';
import { Datasets } from '../datasets/datasets.js';
import { AppError } from '../errors.js';
import { JobQueue } from '../jobs/job-queue.js';
import { JobStore } from '../jobs/job-store.js';
import { JobWorker } from '../jobs/job-worker.js';
import { LiveJobs } from '../jobs/live-jobs.js';
import { createLog } from '../log.js';
import { expire } from '../maintenance/expire.js';
import { connectRedis } from '../redis/connect.js';
import { Registry } from '../registry/registry.js';
import { lowDisks } from '../storage/disk-space.js';
import { openStorage } from '../storage/open-storage.js';
import { datasetsOptions } from './composition.js';
import { backbonesOf } from './backbones-of.js';
import { intakeRules } from './intake-rules.js';
import { pullRules } from './pull-rules.js';
import { trainingRules } from './training-rules.js';

/** What is half-written longer than this was left by a crash: no upload takes so long (REQUEST_TIMEOUT_SECONDS). */
const HALF_WRITTEN_MS = 24 * 3600 * 1000;
const SWEEP_MS = 3600 * 1000;

async function main(): Promise<void> {
  const config = loadConfig(process.env);
  if (config.REDIS_URL === '') {
    throw new AppError(
      'config_invalid',
      'A worker needs REDIS_URL. `npm start` runs Redis, server and worker together.',
    );
  }
  const opened = await openStorage(config);
  const { storage, maintenance } = opened;
  const log = createLog('worker', config.LOG_LEVEL);
  const registry = new Registry({ storage });
  const datasets = new Datasets(datasetsOptions(config, opened));
  const connect = () => connectRedis(config.REDIS_URL, log);
  const [redis, subscriber, blocking] = [connect(), connect(), connect()];
  const store = new JobStore({ storage });
  const live = new LiveJobs({ redis, subscriber });
  const queue = new JobQueue({ redis, attempts: config.JOB_ATTEMPTS });
  const worker = new JobWorker({
    store,
    queue,
    live,
    redis: blocking,
    log,
    entry: join(import.meta.dirname, 'job-process.js'),
    concurrency: config.WORKER_CONCURRENCY,
    attempts: config.JOB_ATTEMPTS,
    memoryMb: config.JOB_MEMORY_MB,
    timeoutMs: config.JOB_TIMEOUT_SECONDS * 1000,
    warmMs: config.JOB_WARM_SECONDS * 1000,
    // It decodes other people's images and needs no Redis: what it does not know it cannot give away.
    env: { ...process.env, REDIS_URL: '' },
    onNativeCrash: async () => {
      const full = await lowDisks({ DATA_DIR: config.DATA_DIR, CACHE_DIR: config.CACHE_DIR });
      await FeatureCache.remove(config.CACHE_DIR); // a damaged LMDB crashes its reader
      return full[0] && `The disk is nearly full: ${full[0]} Free some space.`;
    },
    kinds: {
      train: trainingRules(registry),
      intake: intakeRules(datasets),
      pull: pullRules(backbonesOf(config, storage).source),
      // It leaves nothing but its answer: a second attempt begins anew.
      recommend: { cleanUp: async () => undefined, finished: async () => undefined },
    },
  });

  let stopping = false;
  const stop = async () => {
    if (stopping) return;
    stopping = true;
    setTimeout(() => process.exit(0), config.SHUTDOWN_SECONDS * 1000).unref();
    await worker.close();
    await queue.close();
    for (const connection of [redis, subscriber, blocking]) connection.disconnect();
    process.exit(0);
  };
  process.on('SIGTERM', () => void stop());
  process.on('SIGINT', () => void stop());
  process.on('disconnect', () => void stop());

  const tidy = async () => {
    try {
      await maintenance.sweep(HALF_WRITTEN_MS);
      const gone = await expire({
        storage,
        datasets,
        store,
        datasetDays: config.DATASET_RETENTION_DAYS,
        jobDays: config.JOB_RETENTION_DAYS,
      });
      if (gone.datasets + gone.jobs > 0) log.info(gone, 'deleted what has reached its age');
    } catch (error) {
      log.warn({ err: error }, 'tidying the storage failed; trying again in an hour');
    }
  };
  setInterval(() => void tidy(), SWEEP_MS).unref();
  await worker.ready();
  void tidy();
  log.info({ concurrency: config.WORKER_CONCURRENCY }, 'worker is ready');
  process.send?.({ type: 'ready' });
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof AppError ? error.message : (error as Error).stack}\n`);
  process.exit(1);
});
