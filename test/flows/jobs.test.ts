/** What a 202 promises, whoever dies. */
import { once } from 'node:events';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import t, { type Test } from 'tap';
import type { Job, JobEvent } from '../../src/schemas/jobs.js';
import type { Report } from '../../src/schemas/report.js';
import { zip } from '../helpers/archives.js';
import { filesBelow, form, isProblem, send, until } from '../helpers/http.js';
import { photos, submit, upload } from '../helpers/photos.js';
import { childrenOf, lives } from '../helpers/processes.js';
import { serviceForTest } from '../helpers/service.js';

const service = await serviceForTest(t, { env: { BACKBONE_THREADS: '1' } });
const { url, json, ended, dataDir } = service;
let worker = service.worker;
const files = await photos(['left', 'right'], 10);
const dataset = await upload(service, files);
const large = await upload(service, await photos(['left', 'right'], 100, { seed: 1 }));

/** A job that takes a fraction of a second once its features are there. */
const quick = {
  dataset: dataset.id,
  head: 'linear' as const,
  hyperparameters: { weight_decay: 0.01, epochs: 5 },
};
let seed = 0;
/** A job that reads features of thousands of images; each time of others, for the variations depend on the settings. */
const slow = () => {
  seed += 1;
  return {
    ...quick,
    dataset: large.id,
    hyperparameters: { ...quick.hyperparameters, augmentation: { copies: 5, rotation: seed } },
  };
};

const get = (id: string) => json<Job>(`/v1/jobs/${id}`);
const post = (body: unknown, headers: Record<string, string> = {}) =>
  send(url, '/v1/jobs', {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json', ...headers },
  });
const cancel = (id: string) => send(url, `/v1/jobs/${id}/cancel`, { method: 'POST' });
const extracted = (id: string, images: number) =>
  until(
    async () => {
      const job = await get(id);
      return job.phase === 'extracting' && job.examples !== null && job.examples.done >= images && job;
    },
    { what: `${images} images of ${id}`, timeoutMs: 60_000 },
  );

/** Also of what is written after a job is seen to have ended. */
async function nothingTemporary(t: Pick<Test, 'same'>): Promise<void> {
  const left = () => filesBelow(join(dataDir, '.tmp'));
  await until(async () => (await left()).length === 0, { timeoutMs: 3000 }).catch(() => undefined);
  t.same(await left(), [], 'no file is left in .tmp');
}

await t.test('an Idempotency-Key makes one job of many requests, and refuses another request', async (t) => {
  const body = { ...quick, model: 'once' };
  const key = { 'idempotency-key': 'key 1' };
  const answers = await Promise.all(Array.from({ length: 8 }, () => post(body, key)));
  t.same(
    answers.map(({ status }) => status),
    answers.map(() => 202),
  );
  const ids = new Set(answers.map(({ text }) => (JSON.parse(text) as Job).id));
  t.equal(ids.size, 1, 'one job');
  const [id] = ids;
  const again = await post(body, key);
  t.same([again.status, (JSON.parse(again.text) as Job).id], [202, id]);
  t.equal(again.headers['idempotency-replayed'], 'true');
  const reordered = await post({ model: 'once', ...quick }, key);
  t.equal((JSON.parse(reordered.text) as Job).id, id, 'the order of the fields does not matter');
  isProblem(t, await post({ ...body, seed: 1 }, key), 422, 'idempotency_key_reused', 'other settings');
  isProblem(t, await post({ ...body, model: 'other' }, key), 422, 'idempotency_key_reused', 'other model');
  isProblem(t, await post(body, { 'idempotency-key': 'x'.repeat(256) }), 400, 'invalid_request', 'long key');
  const done = await ended(id!);
  t.match(done, { status: 'succeeded', version: 1 });
  t.equal((JSON.parse((await post(body, key)).text) as Job).status, 'succeeded', 'replayed after the end, too');
  const { data } = await json<{ data: JobEvent[] }>(`/v1/jobs/${id}/events`);
  t.same(
    data.filter(({ type }) => type === 'created' || type === 'started').map(({ type }) => type),
    ['created', 'started'],
    'it was made and started once',
  );
  const list = await json<{ data: Job[] }>('/v1/jobs');
  t.equal(list.data.length, 1);
});

await t.test('an Idempotency-Key holds for a form with photos; a replay leaves no second data set', async (t) => {
  const archive = zip(files);
  const make = (name: string) =>
    form([
      { name: 'model', value: name },
      { name: 'head', value: 'linear' },
      { name: 'file', value: archive, filename: 'a.zip' },
    ]);
  const request = (name: string) => {
    const { body, headers } = make(name);
    return send(url, '/v1/jobs', { method: 'POST', body, headers: { ...headers, 'idempotency-key': 'form' } });
  };
  const first = await request('by-form');
  t.equal(first.status, 202, first.text);
  const before = await json<{ data: unknown[] }>('/v1/datasets');
  const second = await request('by-form');
  t.same([second.status, JSON.parse(second.text).id], [202, JSON.parse(first.text).id]);
  isProblem(t, await request('by-other-form'), 422, 'idempotency_key_reused', 'other settings');
  t.same(await json('/v1/datasets'), before);
  t.equal((await ended(JSON.parse(first.text).id)).status, 'succeeded');
  await nothingTemporary(t);
});

await t.test('jobs wait in order and say where; one can be cancelled while it waits or runs', async (t) => {
  const running = await submit(service, { ...slow(), model: 'runs' });
  await extracted(running.id, 32);
  const waiting: Job[] = [];
  for (let i = 0; i < 4; i += 1) waiting.push(await submit(service, { ...quick, model: `waits-${i}` }));
  const positions = async () => (await Promise.all(waiting.map(({ id }) => get(id)))).map((job) => job.queue_position);
  t.same(await positions(), [1, 2, 3, 4]);
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
  t.same(await positions(), [1, null, 2, 3]);
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
  for (const i of [0, 2, 3]) t.match(await ended(waiting[i]!.id), { status: 'succeeded', version: 1 });
  isProblem(t, await cancel(waiting[0]!.id), 409, 'job_finished', 'cancelling what has succeeded');
  isProblem(t, await send(url, '/v1/models/waits-1'), 404, 'model_not_found', 'a cancelled job');
  t.same(childrenOf(worker.pid!), [], 'no process is left');
  await nothingTemporary(t);
});

await t.test(
  'kill -9 of the worker: another one finishes the job without redoing the images already seen',
  async (t) => {
    const job = await submit(service, { ...slow(), model: 'survivor' });
    await extracted(job.id, 300);
    const children = childrenOf(worker.pid!);
    const { examples: images } = await get(job.id);
    worker.kill('SIGKILL');
    const killed = Date.now();
    await once(worker, 'exit');
    await until(() => children.every((pid) => !lives(pid)), { what: 'the end of the job process', timeoutMs: 5000 });
    const frozen = await get(job.id);
    t.equal(frozen.status, 'running');
    worker = await service.startWorker();
    const resumed = await until(async () => {
      const now = await get(job.id);
      t.ok(now.progress >= frozen.progress, 'progress never falls');
      return now.attempt === 2 && now;
    });
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
    t.same(childrenOf(worker.pid!), []);
  },
);

await t.test('a worker that is stopped hands its job back, and the next goes on at once', async (t) => {
  const job = await submit(service, { ...slow(), model: 'handed-on' });
  const { examples: images } = await extracted(job.id, 200);
  const began = Date.now();
  worker.kill('SIGTERM');
  await once(worker, 'exit');
  t.ok(Date.now() - began < 3000, `it stopped in ${Date.now() - began} ms`);
  worker = await service.startWorker();
  await until(async () => (await get(job.id)).attempt === 2, { timeoutMs: 4000, what: 'the second attempt' });
  t.comment(`resumed ${Date.now() - began} ms after SIGTERM`);
  t.match(await ended(job.id), { status: 'succeeded', version: 1 });
  const report = await json<Report>('/v1/models/handed-on/versions/1/report');
  t.ok(report.timings.examples_cached >= images!.done - 16);
});

await t.test('FLUSHALL of Redis loses no job: neither those that wait nor the one that runs', async (t) => {
  const running = await submit(service, { ...slow(), model: 'flushed-0' });
  await extracted(running.id, 32);
  const waiting: Job[] = [];
  for (const n of [1, 2]) waiting.push(await submit(service, { ...quick, model: `flushed-${n}` }));
  const address = service.redisUrl;
  const redis = address.startsWith('unix://') ? new Redis(new URL(address).pathname) : new Redis(address);
  await redis.flushall();
  redis.disconnect();
  const began = Date.now();
  for (const { id } of [running, ...waiting])
    t.match(await ended(id), { status: 'succeeded', version: 1, error: null });
  t.comment(`all ended ${Date.now() - began} ms after FLUSHALL`);
  for (const n of [0, 1, 2]) {
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

await t.test('a data set whose jobs have ended can be deleted, and a job on it is then refused', async (t) => {
  t.equal((await send(url, `/v1/datasets/${large.id}`, { method: 'DELETE' })).status, 204);
  isProblem(t, await post({ ...slow(), model: 'late' }), 404, 'dataset_not_found', 'a deleted data set');
  t.match(await json('/v1/models/survivor'), { versions: [1] }, 'its models stay');
});
