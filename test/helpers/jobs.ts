import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Test } from 'tap';
import { newId } from '../../src/ids.js';
import { JobQueue } from '../../src/jobs/job-queue.js';
import { type JobRecord, JobStore } from '../../src/jobs/job-store.js';
import { JobWorker, type JobWorkerOptions } from '../../src/jobs/job-worker.js';
import { Jobs } from '../../src/jobs/jobs.js';
import { LiveState } from '../../src/jobs/live-jobs.js';
import { createLog } from '../../src/log.js';
import { connectRedis } from '../../src/redis/connect.js';
import type { Job } from '../../src/schemas/jobs.js';
import { FileStorage } from '../../src/storage/file-storage.js';

const log = createLog('test', 'silent');

export function jobRecord(change: Partial<JobRecord> = {}): JobRecord {
  return {
    id: newId('job'),
    tenant: 'default',
    created_at: new Date().toISOString(),
    dataset: 'ds_00000000000000000000000000',
    settings: { model: 'cats', backbone: 'rootstock_s' },
    ...change,
  };
}

/** Write a module that stands in for `job-process.js`; `body` sees `record`, `tell(message)` and `end(message)`. */
export async function stubEntry(t: Pick<Test, 'teardown'>, body: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'graft-stub-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const entry = join(folder, 'entry.mjs');
  await writeFile(
    entry,
    `import { existsSync, readFileSync, writeFileSync } from 'node:fs';
const folder = ${JSON.stringify(folder)};
const tell = (message) => process.send(message);
const end = (message) => process.send(message, () => process.exit(0));
const progress = (progress) => tell({ type: 'progress', progress: { phase: 'extracting', progress, examples_done: 0,
  examples_total: 1, examples_cached: 0, examples_per_second: null, seconds_left: null, metrics: null } });
const event = (message) => tell({ type: 'event', event: { type: 'warning', message, data: {} } });
/** 1 when the entry runs for the first time, then 2, … */
const countStart = () => {
  const file = folder + '/starts';
  const count = (existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0) + 1;
  writeFileSync(file, String(count));
  return count;
};
const hang = () => setInterval(() => {}, 1000);
process.on('disconnect', () => process.exit(1));
process.once('message', async ({ record }) => {
${body}
});
`,
  );
  return entry;
}

/** Everything about jobs over one Redis and one folder, closed at the end of the test. */
export async function jobsForTest(t: Pick<Test, 'teardown'>, url: string) {
  const folder = await mkdtemp(join(tmpdir(), 'graft-jobs-'));
  const storage = new FileStorage({ root: folder });
  const [redis, subscriber] = [connectRedis(url, log), connectRedis(url, log)];
  const store = new JobStore({ storage });
  const live = new LiveState({ redis, subscriber });
  const queue = new JobQueue({ redis, attempts: 2 });
  const jobs = new Jobs({ store, queue, live, log });
  const closing: (() => Promise<unknown>)[] = [];
  t.teardown(async () => {
    for (const close of closing) await close();
    redis.disconnect();
    subscriber.disconnect();
    await queue.close();
    await rm(folder, { recursive: true, force: true });
  });
  return {
    jobs,
    store,
    storage,
    live,
    queue,
    redis,
    submit: (change: Partial<Parameters<Jobs['submit']>[0]> = {}) => {
      const { tenant, dataset, settings } = jobRecord();
      return jobs.submit({ tenant, dataset, settings, ...change });
    },
    /** A worker that runs jobs by `entry`. */
    async work(entry: string, options: Partial<JobWorkerOptions> = {}): Promise<JobWorker> {
      const blocking = connectRedis(url, log);
      const worker = new JobWorker({
        store,
        queue,
        live,
        redis: blocking,
        log,
        entry,
        concurrency: 1,
        attempts: 2,
        memoryMb: 100,
        timeoutMs: 20_000,
        onNativeCrash: async () => undefined,
        cleanUp: async () => undefined,
        publishedBy: async () => undefined,
        ...options,
      });
      closing.push(async () => {
        await worker.close();
        blocking.disconnect();
      });
      await worker.ready();
      return worker;
    },
    /** Wait until a job looks as `wanted` says. */
    async until(id: string, wanted: (job: Job) => boolean): Promise<Job> {
      const deadline = Date.now() + 20_000;
      for (;;) {
        const job = await jobs.get('default', id);
        if (wanted(job)) return job;
        if (Date.now() > deadline) throw new Error(`job ${id} is ${JSON.stringify(job)}`);
        await sleep(20);
      }
    },
  };
}

export const ended = ({ finished_at }: Job) => finished_at !== null;
