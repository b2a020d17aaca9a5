import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { finishJob } from '../../src/jobs/finish-job.js';
import { Jobs } from '../../src/jobs/jobs.js';
import { startRedis } from '../../src/launch/redis-server.js';
import { createLog } from '../../src/log.js';
import { connectRedis } from '../../src/redis/connect.js';
import { jobRecord, jobResult, jobsForTest, trainInput } from '../helpers/jobs.js';
import { redisForTest } from '../helpers/redis.js';

const redis = await redisForTest(t);

t.beforeEach(async () => {
  const client = connectRedis(redis.url, createLog('test', 'silent'));
  await client.flushall();
  client.disconnect();
});

t.test('a job that was taken is recorded, queued and seen', async (t) => {
  const { submit, jobs, store, queue } = await jobsForTest(t, redis.url);
  const { job, replayed } = await submit();
  t.equal(replayed, false);
  t.match(job, { status: 'queued', queue_position: 1, progress: 0, attempt: 0, model: 'cats', started_at: null });
  t.same(job.settings, {});
  t.equal(await queue.has(job.id), true);
  t.match(await store.pending(), [{ id: job.id, tenant: 'default' }]);
  t.match(await jobs.events('default', job.id), [{ seq: 1, type: 'created' }]);
  const second = await submit();
  t.equal(second.job.queue_position, 2);
  const page = await jobs.list('default', { limit: 1 });
  t.match(page, { data: [{ id: second.job.id }], has_more: true });
  t.match(await jobs.list('default', { limit: 1, after: second.job.id }), { data: [{ id: job.id }], has_more: false });
});

t.test('the same Idempotency-Key and request answer with the same job, also all at once', async (t) => {
  const { submit, store } = await jobsForTest(t, redis.url);
  const requests = await Promise.all(Array.from({ length: 5 }, () => submit({ idempotencyKey: 'k' })));
  t.equal(new Set(requests.map(({ job }) => job.id)).size, 1);
  t.equal(requests.filter(({ replayed }) => !replayed).length, 1, 'one made it, the others are replays');
  t.match(await submit({ idempotencyKey: 'k' }), { replayed: true, job: { id: requests[0]!.job.id } });
  t.equal((await store.pending()).length, 1);
  await t.rejects(submit({ idempotencyKey: 'k', input: { ...trainInput({ model: 'dogs' }) } }), {
    code: 'idempotency_key_reused',
  });
});

t.test('an uploaded archive is the same by its content, not by the id it got', async (t) => {
  const { submit } = await jobsForTest(t, redis.url);
  const first = await submit({ idempotencyKey: 'k', dataset: 'ds_1', same: { content: 'digest' } });
  const second = await submit({ idempotencyKey: 'k', dataset: 'ds_2', same: { content: 'digest' } });
  t.match(second, { replayed: true, job: { id: first.job.id, dataset: 'ds_1' } });
  await t.rejects(submit({ idempotencyKey: 'k', dataset: 'ds_1', same: { content: 'other' } }), {
    code: 'idempotency_key_reused',
  });
});

t.test('a job that waits is cancelled at once; again is no error; a finished one cannot be', async (t) => {
  const { submit, jobs, store, queue } = await jobsForTest(t, redis.url);
  const { job } = await submit();
  t.match(await jobs.cancel('default', job.id), { status: 'cancelled', attempt: 0, cancel_requested: true });
  t.equal(await queue.has(job.id), false);
  t.same(await store.pending(), []);
  t.same(
    (await jobs.events('default', job.id)).map(({ seq, type }) => `${seq} ${type}`),
    ['1 created', '2 cancel_requested', '3 cancelled'],
  );
  t.match(await jobs.cancel('default', job.id), { status: 'cancelled' });
  const other = jobRecord();
  await store.create(other);
  await store.finish(other, jobResult('succeeded', { output: { version: 1, accuracy: 1 } }));
  await t.rejects(jobs.cancel('default', other.id), { code: 'job_finished' });
  await t.rejects(jobs.cancel('ada', other.id), { code: 'job_not_found' });
});

t.test('a data set is in use while a job of its tenant that needs it has not ended', async (t) => {
  const { submit, jobs } = await jobsForTest(t, redis.url);
  const { job } = await submit({ dataset: 'ds_1' });
  t.equal(await jobs.uses('default', 'ds_1'), true);
  t.equal(await jobs.uses('ada', 'ds_1'), false);
  t.equal(await jobs.uses('default', 'ds_2'), false);
  await jobs.cancel('default', job.id);
  t.equal(await jobs.uses('default', 'ds_1'), false);
});

t.test('a follower sees every event once, in order, to the last, and can go on where it was', async (t) => {
  const { submit, jobs, live } = await jobsForTest(t, redis.url);
  const { job } = await submit();
  const never = new AbortController().signal;
  const seen: string[] = [];
  const following = (async () => {
    for await (const event of jobs.follow('default', job.id, 0, never)) {
      if (event) seen.push(`${event.seq} ${event.type}`);
    }
  })();
  await live.addEvent(job.id, { type: 'started', message: 'Started', data: {} });
  await jobs.cancel('default', job.id);
  await following;
  const expected = ['1 created', '2 started', '3 cancel_requested', '4 cancelled'];
  t.same(seen, expected);
  const rest: string[] = [];
  for await (const event of jobs.follow('default', job.id, 2, never))
    if (event) rest.push(`${event.seq} ${event.type}`);
  t.same(rest, expected.slice(2));
});

t.test('numbers of events go on rising when Redis is wiped in the middle of a job', async (t) => {
  const { submit, jobs, live, redis: connection, store } = await jobsForTest(t, redis.url);
  const { job } = await submit();
  await live.addEvent(job.id, { type: 'started', message: '', data: {} });
  const seen = (await jobs.events('default', job.id)).at(-1)!.seq;
  t.equal(seen, 2);
  await connection.flushall();
  await live.addEvent(job.id, { type: 'phase', message: '', data: {} });
  await live.addEvent(job.id, { type: 'epoch', message: '', data: {} });
  const [phase, epoch, ...more] = await jobs.events('default', job.id, seen);
  t.match([phase, epoch, more], [{ type: 'phase' }, { type: 'epoch' }, []]);
  t.ok(phase!.seq > seen && epoch!.seq === phase!.seq + 1);
  t.match(await jobs.events('default', job.id, phase!.seq), [{ type: 'epoch' }]);
  await connection.flushall();
  await finishJob({ store, live, job: { tenant: 'default', id: job.id }, outcome: jobResult('failed') });
  t.match(await jobs.events('default', job.id, epoch!.seq), [{ type: 'failed' }], 'who follows hears of the end');
});

t.test(
  'a tenant with too many jobs that have not ended is asked to wait; a repeated request is answered',
  async (t) => {
    const { store, queue, live, submit } = await jobsForTest(t, redis.url);
    const jobs = new Jobs({ store, queue, live, log: createLog('test', 'silent'), maxOpen: 1 });
    const request = (tenant: string) => ({ kind: 'train', tenant, by: 'local', input: { ...trainInput() } });
    const first = await jobs.submit({ ...request('default'), idempotencyKey: 'k' });
    await t.rejects(jobs.submit(request('default')), { code: 'too_many_jobs' });
    await t.rejects(jobs.submit({ ...request('default'), idempotencyKey: 'other' }), { code: 'too_many_jobs' });
    t.equal((await jobs.submit({ ...request('default'), idempotencyKey: 'k' })).job.id, first.job.id);
    await jobs.submit(request('other'));
    await jobs.cancel('default', first.job.id);
    await jobs.submit({ ...request('default'), idempotencyKey: 'other' });
    await submit();
  },
);

t.test('without Redis a job is refused within 2.5 s, and nothing is stored', async (t) => {
  const silent = createServer(() => undefined); // takes connections and never answers
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  t.teardown(() => silent.close());
  const { port } = silent.address() as { port: number };
  for (const url of ['redis://127.0.0.1:1', `redis://127.0.0.1:${port}`]) {
    const { submit, storage } = await jobsForTest(t, url);
    const began = performance.now();
    await t.rejects(submit({ idempotencyKey: 'k' }), { code: 'queue_unavailable', status: 503 }, url);
    t.ok(performance.now() - began < 2500);
    t.same(await storage.list('tenants'), []);
    t.same(await storage.list('pending'), []);
  }
});

t.test('a Redis in a folder with a space in its name is reached', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'graft redis '));
  const spaced = await startRedis({ folder, appendOnly: false });
  t.teardown(async () => {
    await spaced.stop();
    await rm(folder, { recursive: true, force: true });
  });
  const { queue } = await jobsForTest(t, spaced.url);
  await t.resolves(queue.check());
  t.equal(await queue.evictionPolicy(), 'noeviction');
});
