/** A worker as `src/bin/worker.ts` makes it, but for the module that runs a job: it starts fast and computes nothing. */
import { join } from 'node:path';
import { trainingRules } from '../../../src/bin/training-rules.js';
import { JobQueue } from '../../../src/jobs/job-queue.js';
import { JobStore } from '../../../src/jobs/job-store.js';
import { JobWorker } from '../../../src/jobs/job-worker.js';
import { LiveJobs } from '../../../src/jobs/live-jobs.js';
import { createLog } from '../../../src/log.js';
import { connectRedis } from '../../../src/redis/connect.js';
import { Registry } from '../../../src/registry/registry.js';
import { FileStorage } from '../../../src/storage/file-storage.js';

const { JOB_ATTEMPTS = '3', WORKER_CONCURRENCY = '1' } = process.env;
const log = createLog('worker', 'silent');
const storage = new FileStorage({ root: process.env.DATA_DIR! });
const registry = new Registry({ storage });
const [redis, subscriber, blocking] = [1, 2, 3].map(() => connectRedis(process.env.REDIS_URL!, log));
const worker = new JobWorker({
  store: new JobStore({ storage }),
  queue: new JobQueue({ redis: redis!, attempts: Number(JOB_ATTEMPTS) }),
  live: new LiveJobs({ redis: redis!, subscriber: subscriber! }),
  redis: blocking!,
  log,
  entry: join(import.meta.dirname, 'light-job.js'),
  concurrency: Number(WORKER_CONCURRENCY),
  attempts: Number(JOB_ATTEMPTS),
  memoryMb: 100,
  timeoutMs: 60_000,
  warmMs: 0,
  onNativeCrash: async () => undefined,
  kinds: { train: trainingRules(registry) },
});
process.on('SIGTERM', async () => {
  await worker.close();
  process.exit(0);
});
process.on('disconnect', () => process.exit(0));
await worker.ready();
process.send!({ type: 'ready' });
