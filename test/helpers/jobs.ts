import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { newId } from '../../src/ids.js';
import { JobQueue } from '../../src/jobs/job-queue.js';
import { type JobRecord, type JobResult, JobStore } from '../../src/jobs/job-store.js';
import { type JobKindRules, JobWorker, type JobWorkerOptions } from '../../src/jobs/job-worker.js';
import { Jobs, type SubmitJob } from '../../src/jobs/jobs.js';
import { LiveJobs } from '../../src/jobs/live-jobs.js';
import { createLog } from '../../src/log.js';
import { connectRedis } from '../../src/redis/connect.js';
import type { Job, TrainInput } from '../../src/schemas/jobs.js';
import { FileStorage } from '../../src/storage/file-storage.js';
import { until } from './http.js';

const log = createLog('test', 'silent');

const DATASET = 'ds_00000000000000000000000000';

/** What training is asked for, over some data set. */
export function trainInput({ dataset = DATASET, model = 'cats' } = {}): TrainInput {
  return { dataset, model, backbone: 'rootstock_s', settings: {} };
}

export function jobRecord({ dataset = DATASET, ...change }: Partial<JobRecord> & { dataset?: string } = {}): JobRecord {
  return {
    format: 1,
    kind: 'train',
    id: newId('job'),
    tenant: 'default',
    by: 'local',
    created_at: new Date().toISOString(),
    input: { ...trainInput({ dataset }) },
    needs: { datasets: [dataset], backbones: ['rootstock_s'] },
    ...change,
  };
}

export function jobResult(status: JobResult['status'], change: Partial<JobResult> = {}): JobResult {
  const finished_at = new Date().toISOString();
  return { format: 1, status, output: null, error: null, attempt: 1, progress: 1, finished_at, ...change };
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

/** A kind that leaves nothing behind and brings nothing about for good. */
export const NO_RULES: JobKindRules = { cleanUp: async () => undefined, finished: async () => undefined };

/** Everything about jobs over one Redis and one folder, closed at the end of the test. */
export async function jobsForTest(t: Pick<Test, 'teardown'>, url: string) {
  const folder = await mkdtemp(join(tmpdir(), 'graft-jobs-'));
  const storage = new FileStorage({ root: folder });
  const [redis, subscriber] = [connectRedis(url, log), connectRedis(url, log)];
  const store = new JobStore({ storage });
  const live = new LiveJobs({ redis, subscriber });
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
    /** Submit a job of kind `train`, or whatever `change` makes of it. */
    submit: ({ dataset = DATASET, ...change }: Partial<SubmitJob> & { dataset?: string } = {}) =>
      jobs.submit({
        kind: 'train',
        tenant: 'default',
        by: 'local',
        input: { ...trainInput({ dataset }) },
        needs: { datasets: [dataset] },
        ...change,
      }),
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
        warmMs: 0,
        env: { ...process.env, NODE_OPTIONS: '' }, // without what tap makes each process of Node load
        onNativeCrash: async () => undefined,
        kinds: { train: NO_RULES },
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
      const look = () => jobs.get('default', id);
      const check = async () => {
        const job = await look();
        return wanted(job) && job;
      };
      return until(check, { what: `what was expected of job ${id}`, state: look });
    },
    /** Wait until nothing more will happen to any job. */
    async settled(): Promise<void> {
      const pending = () => store.pending();
      await until(async () => (await pending()).length === 0, { what: 'the end of all jobs', state: pending });
    },
  };
}

export const ended = ({ finished_at }: Job) => finished_at !== null;
