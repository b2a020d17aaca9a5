/**
 * What a 202 promises, whoever dies: server, worker and Redis as processes, real training. Idempotency-Keys are tried in
 * test/http/native and test/jobs, workers that are stopped in test/faults/sigterm.ts.
 */
import { once } from 'node:events';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import t, { type Test } from 'tap';
import type { Job, JobEvent } from '../../src/schemas/jobs.js';
import type { Report } from '../../src/schemas/report.js';
import { zip } from '../helpers/archives.js';
import { filesBelow, isProblem, send, until } from '../helpers/http.js';
import { photos, submit, upload } from '../helpers/photos.js';
import { childrenOf, lives } from '../helpers/processes.js';
import { serviceForTest } from '../helpers/service.js';

const service = await serviceForTest(t, { env: { BACKBONE_THREADS: '1', JOB_WARM_SECONDS: '1' } });
const { url, json, ended, dataDir } = service;
let worker = service.worker;
const dataset = await upload(service, await photos(['left', 'right'], 5));
const large = await upload(service, await photos(['left', 'right'], 20, { seed: 1 }));

/** A job that takes a fraction of a second once its features are there. */
const quick = {
  dataset: dataset.id,
  head: 'linear' as const,
  hyperparameters: { weight_decay: 0.01, epochs: 5 },
};
let seed = 0;
/** A job that reads features of 240 images; each time of others, for the variations depend on the settings. */
const slow = () => {
  seed += 1;
  return {
    ...quick,
    dataset: large.id,
    hyperparameters: { ...quick.hyperparameters, augmentation: { copies: 5, rotation: seed } },
  };
};

const get = (id: string) => json<Job>(`/v1/jobs/${id}`);
const cancel = (id: string) => send(url, `/v1/jobs/${id}/cancel`, { method: 'POST' });
const extracted = (id: string, images: number) =>
  until(
    async () => {
      const job = await get(id);
      return job.phase === 'extracting' && job.examples !== null && job.examples.done >= images && job;
    },
    { what: `${images} images of ${id}`, timeoutMs: 60_000, state: () => get(id) },
  );

/** Also of what is written after a job is seen to have ended. */
async function nothingTemporary(t: Pick<Test, 'same'>): Promise<void> {
  const left = () => filesBelow(join(dataDir, '.tmp'));
  await until(async () => (await left()).length === 0, { timeoutMs: 3000 }).catch(() => undefined);
  t.same(await left(), [], 'no file is left in .tmp');
}

await t.test('jobs wait in order and say where; one can be cancelled while it waits or runs', async (t) => {
  const running = await submit(service, { ...slow(), model: 'runs' });
  await extracted(running.id, 32);
  const waiting: Job[] = [];
  for (let i = 0; i < 3; i += 1) waiting.push(await submit(service, { ...quick, model: `waits-${i}` }));
  const positions = async () => (await Promise.all(waiting.map(({ id }) => get(id)))).map((job) => job.queue_position);
  t.same(await positions(), [1, 2, 3]);
  t.equal((await get(running.id)).queue_position, null);
  isProblem(
    t,
    await send(url, `/v1/datasets/${large.id}`, { method: 'DELETE' }),
    409,
    'dataset_in_use',
    'a data set that a job reads',
  );
  isProblem(t, await send(url, `/v1/datasets/${dataset.id}`, { method: 'DELETE' }), 409, 'dataset_in_use', 'or will');

  const answer = await cancel(waiting[1]!.id);
  t.match(JSON.parse(answer.text), { status: 'cancelled', cancel_requested: true, version: null });
  t.same(await positions(), [1, null, 2]);
  t.equal((await cancel(waiting[1]!.id)).status, 202, 'cancelling twice is the same');

  const [child] = childrenOf(worker.pid!);
  t.ok(child, 'a job runs in a process of its own');
  const began = Date.now();
  t.equal((await cancel(running.id)).status, 202);
  const done = await ended(running.id);
  const took = Date.now() - began;
  t.comment(`a running job ended ${took} ms after it was cancelled`);
  t.ok(took <= 3000, `${took} ms`);
  t.match(done, { status: 'cancelled', version: null, cancel_requested: true });
  t.not(lives(child!), 'its process is gone');
  isProblem(t, await send(url, '/v1/models/runs'), 404, 'model_not_found', 'nothing was published');
  const { data } = await json<{ data: JobEvent[] }>(`/v1/jobs/${running.id}/events`);
  t.same(
    data.slice(-2).map(({ type }) => type),
    ['cancel_requested', 'cancelled'],
  );
  for (const i of [0, 2]) t.match(await ended(waiting[i]!.id), { status: 'succeeded', version: 1 });
  isProblem(t, await cancel(waiting[0]!.id), 409, 'job_finished', 'cancelling what has succeeded');
  isProblem(t, await send(url, '/v1/models/waits-1'), 404, 'model_not_found', 'a cancelled job');
  await until(() => childrenOf(worker.pid!).length === 0, { what: 'the end of all processes' });
  await nothingTemporary(t);
});

await t.test(
  'kill -9 of the worker: another one finishes the job without redoing the images already seen',
  async (t) => {
    const job = await submit(service, { ...slow(), model: 'survivor' });
    await extracted(job.id, 60);
    const children = childrenOf(worker.pid!);
    const { examples: images } = await get(job.id);
    worker.kill('SIGKILL');
    const killed = Date.now();
    await once(worker, 'exit');
    await until(() => children.every((pid) => !lives(pid)), { what: 'the end of the job process', timeoutMs: 5000 });
    const frozen = await get(job.id);
    t.equal(frozen.status, 'running');
    worker = await service.startWorker();
    const resumed = await until(
      async () => {
        const now = await get(job.id);
        t.ok(now.progress >= frozen.progress, 'progress never falls');
        return now.attempt === 2 && now;
      },
      { what: 'the second attempt', state: () => get(job.id) },
    );
    t.comment(`resumed ${Date.now() - killed} ms after the kill`);
    t.ok(resumed.progress >= frozen.progress);
    const done = await ended(job.id);
    t.match(done, { status: 'succeeded', version: 1, attempt: 2 });
    const report = await json<Report>('/v1/models/survivor/versions/1/report');
    const { examples_cached: cached } = report.timings;
    t.comment(`${images!.done} images were done; ${cached} were not done again`);
    t.ok(cached >= images!.done - 16, `${cached} ≥ ${images!.done} − 16`);
    t.ok(cached < done.examples!.total, 'and it was killed in the middle');
    const { data } = await json<{ data: JobEvent[] }>(`/v1/jobs/${job.id}/events`);
    t.equal(data.filter(({ type }) => type === 'restarted').length, 1);
    await until(() => childrenOf(worker.pid!).length === 0, { what: 'the end of all processes' });
  },
);

await t.test(
  'an upload as a job: its result says how it was understood, and one that cannot be read says why',
  async (t) => {
    const intake = (body: Uint8Array) =>
      json<Job>('/v1/datasets', { method: 'POST', body, headers: { prefer: 'respond-async' }, status: 202 });
    const photographs = (await photos(['left', 'right'], 8, { seed: 9 })).map((file) => ({ ...file, stored: true }));
    const [good, empty, broken] = await Promise.all([
      intake(new Uint8Array(zip(photographs))),
      intake(new Uint8Array(zip([{ name: 'a/readme.pdf', bytes: Buffer.from('no') }]))),
      intake(new TextEncoder().encode('this is no archive')),
    ]);
    const done = await ended(good.id);
    t.match(done, { status: 'succeeded', output: { examples: 16, class_count: 2, layout: { kind: 'class_folders' } } });
    t.match(await json(`/v1/datasets/${done.dataset}`), { examples: 16, by: 'local' });
    const { data } = await json<{ data: JobEvent[] }>(`/v1/jobs/${good.id}/events`);
    t.match(data.at(-1), { type: 'succeeded', data: { dataset: done.dataset } });
    const error = { code: 'no_examples', details: { refused_count: 1 } };
    t.match(await ended(empty.id), { status: 'failed', dataset: null, error });
    t.match(await ended(broken.id), { status: 'failed', error: { code: 'not_an_archive' } });
    t.same(await filesBelow(join(dataDir, 'tenants/default/uploads')).catch(() => []), [], 'no archive is left');
    await nothingTemporary(t);
  },
);

await t.test('FLUSHALL of Redis loses no job: neither those that wait nor the one that runs', async (t) => {
  const running = await submit(service, { ...slow(), model: 'flushed-0' });
  await extracted(running.id, 32);
  const waiting: Job[] = [];
  waiting.push(await submit(service, { ...quick, model: 'flushed-1' }));
  const address = service.redisUrl;
  const redis = address.startsWith('unix://') ? new Redis(new URL(address).pathname) : new Redis(address);
  await redis.flushall();
  redis.disconnect();
  const began = Date.now();
  for (const { id } of [running, ...waiting])
    t.match(await ended(id), { status: 'succeeded', version: 1, error: null });
  t.comment(`all ended ${Date.now() - began} ms after FLUSHALL`);
  for (const n of [0, 1]) {
    t.match(await json(`/v1/models/flushed-${n}`), { versions: [1] }, 'one version, not two');
  }
});

await t.test('a job is done although the server that took it was killed right after its 202', async (t) => {
  const other = await service.startServer();
  const answer = await send(other.url, '/v1/jobs', {
    method: 'POST',
    body: JSON.stringify({ ...quick, model: 'orphaned' }),
    headers: { 'content-type': 'application/json' },
  });
  other.child.kill('SIGKILL');
  t.equal(answer.status, 202);
  const { id } = JSON.parse(answer.text) as Job;
  t.match(await ended(id), { status: 'succeeded', version: 1 });
  await nothingTemporary(t);
});
