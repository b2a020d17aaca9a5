import t from 'tap';
import { createLog } from '../../src/log.js';
import { connectRedis } from '../../src/redis/connect.js';
import { until as eventually } from '../helpers/http.js';
import { ended, jobRecord, jobResult, jobsForTest, NO_RULES, stubEntry } from '../helpers/jobs.js';
import { redisForTest } from '../helpers/redis.js';

const redis = await redisForTest(t);
const DONE = `end({ type: 'done', output: { version: 7, accuracy: 0.75 } });`;

t.beforeEach(async () => {
  const client = connectRedis(redis.url, createLog('test', 'silent'));
  await client.flushall();
  client.disconnect();
});

t.test('a job runs to its end; its events have no gaps and lie in storage', async (t) => {
  const { submit, settled, work, until, store, queue, redis: client } = await jobsForTest(t, redis.url);
  await work(await stubEntry(t, `for (let i = 1; i <= 20; i += 1) event('step ' + i); progress(0.9); ${DONE}`));
  const { job } = await submit();
  t.match(await until(job.id, ended), {
    status: 'succeeded',
    version: 7,
    accuracy: 0.75,
    progress: 1,
    attempt: 1,
    error: null,
  });
  await settled();
  const events = (await store.events({ id: job.id, tenant: 'default' }))!;
  t.same(
    events.map(({ seq }) => seq),
    events.map((_, i) => i + 1),
  );
  t.same(
    events.map(({ type }) => type),
    ['created', 'started', ...Array(20).fill('warning'), 'succeeded'],
  );
  await eventually(async () => !(await queue.has(job.id)), { what: 'leaving the queue' });
  t.ok((await client.ttl(`graft:events:${job.id}`)) > 0, 'what is left in Redis will go');
});

t.test('a job that fails for its own reasons is not tried again', async (t) => {
  const { submit, settled, work, until } = await jobsForTest(t, redis.url);
  const cleaned: string[] = [];
  await work(await stubEntry(t, `end({ type: 'failed', code: 'no_examples', message: 'There is none.' });`), {
    kinds: { train: { ...NO_RULES, cleanUp: async ({ id, kind }) => void cleaned.push(`${id} ${kind}`) } },
  });
  const { job } = await submit();
  t.match(await until(job.id, ended), {
    status: 'failed',
    attempt: 1,
    version: null,
    error: { code: 'no_examples', message: 'There is none.' },
  });
  await settled();
  t.same(cleaned, [`${job.id} train`], 'what it left is taken away');
});

t.test('a job whose process dies is started again, and its progress never falls', async (t) => {
  const { submit, work, until, jobs } = await jobsForTest(t, redis.url);
  const entry = await stubEntry(
    t,
    `if (countStart() === 1) { progress(0.6); setTimeout(() => process.kill(process.pid, 'SIGKILL'), 300); }
    else { progress(0.1); setTimeout(() => progress(0.2), 300); setTimeout(() => ${DONE.slice(0, -1)}, 700); }`,
  );
  await work(entry);
  const { job } = await submit();
  const seen: number[] = [];
  const last = await until(job.id, (now) => {
    seen.push(now.progress);
    return ended(now);
  });
  t.match(last, { status: 'succeeded', attempt: 2 });
  t.ok(seen.includes(0.6));
  t.same(
    seen,
    [...seen].sort((a, b) => a - b),
  );
  t.same(
    (await jobs.events('default', job.id)).map(({ type }) => type),
    ['created', 'started', 'restarted', 'succeeded'],
  );
});

t.test('a job whose process dies every time fails as job_crashed, with a sentence', async (t) => {
  const { submit, settled, work, until } = await jobsForTest(t, redis.url);
  const entry = await stubEntry(t, 'countStart(); process.exit(9);');
  await work(entry);
  const { job } = await submit();
  const failed = await until(job.id, ended);
  t.match(failed, { status: 'failed', attempt: 2, error: { code: 'job_crashed' } });
  t.match(failed.error!.message, /^The process of the job died: it exited with code 9\. .+\.$/);
  await settled();
});

t.test('a job that takes too long fails as job_timeout, and is not tried again', async (t) => {
  const { submit, work, until } = await jobsForTest(t, redis.url);
  await work(await stubEntry(t, 'hang();'), { timeoutMs: 300 });
  const { job } = await submit();
  t.match(await until(job.id, ended), { status: 'failed', attempt: 1, error: { code: 'job_timeout' } });
});

t.test('a running job that is cancelled ends within two seconds', async (t) => {
  const { submit, work, until, jobs } = await jobsForTest(t, redis.url);
  await work(await stubEntry(t, `process.on('SIGTERM', () => {}); progress(0.3); hang();`));
  const { job } = await submit();
  await until(job.id, ({ progress }) => progress === 0.3);
  const began = performance.now();
  t.match(await jobs.cancel('default', job.id), { status: 'running', cancel_requested: true });
  t.match(await until(job.id, ended), { status: 'cancelled', error: null, version: null });
  t.ok(performance.now() - began < 2000);
});

t.test('a wish to cancel that no announcement brought is found', async (t) => {
  const { submit, work, until, store } = await jobsForTest(t, redis.url);
  await work(await stubEntry(t, 'progress(0.3); hang();'));
  const { job } = await submit();
  await until(job.id, ({ progress }) => progress === 0.3);
  await store.requestCancel({ id: job.id, tenant: 'default' });
  t.match(await until(job.id, ended), { status: 'cancelled' });
});

t.test('what a job has published counts, even if it was cancelled after that', async (t) => {
  const { submit, work, until, jobs } = await jobsForTest(t, redis.url);
  await work(await stubEntry(t, 'progress(0.99); hang();'), {
    kinds: { train: { ...NO_RULES, finished: async () => ({ version: 4, accuracy: 0.5 }) } },
  });
  const { job } = await submit();
  await until(job.id, ({ progress }) => progress === 0.99);
  await jobs.cancel('default', job.id);
  t.match(await until(job.id, ended), { status: 'succeeded', version: 4, accuracy: 0.5 });
});

t.test('a job that was cancelled while it waited is never started', async (t) => {
  const { submit, work, until, jobs } = await jobsForTest(t, redis.url);
  const first = await submit();
  const second = await submit();
  await jobs.cancel('default', first.job.id);
  await work(await stubEntry(t, DONE));
  t.match(await until(second.job.id, ended), { status: 'succeeded' });
  t.match(await jobs.get('default', first.job.id), { status: 'cancelled', started_at: null, attempt: 0 });
});

t.test('promised jobs come back into the queue after Redis was wiped, and their end is told', async (t) => {
  const { submit, settled, work, until, jobs, queue, redis: client } = await jobsForTest(t, redis.url);
  const { job } = await submit();
  await client.flushall();
  t.equal(await queue.has(job.id), false);
  const entry = await stubEntry(t, DONE);
  await work(entry);
  t.match(await until(job.id, ended), { status: 'succeeded' });
  await settled();
  t.match((await jobs.events('default', job.id)).at(-1), { type: 'succeeded', data: { version: 7 } });
});

t.test('a job that had ended when its worker died is settled by the next, with its last event', async (t) => {
  const { submit, settled, work, until, jobs, store } = await jobsForTest(t, redis.url);
  const { job } = await submit();
  await store.finish(
    { id: job.id, tenant: 'default' },
    jobResult('succeeded', { output: { version: 2, accuracy: 1 } }),
  );
  await work(await stubEntry(t, 'countStart(); process.exit(9);'));
  t.match(await until(job.id, ended), { status: 'succeeded', version: 2 });
  await settled();
  t.same(
    (await jobs.events('default', job.id)).map(({ seq, type }) => `${seq} ${type}`),
    ['1 created', '2 succeeded'],
  );
});

t.test('a mark without a record, as a request leaves it while it is answered, stays for now', async (t) => {
  const { work, store, storage } = await jobsForTest(t, redis.url);
  const { id } = jobRecord();
  await storage.put(`pending/${id}.default`, '');
  const worker = await work(await stubEntry(t, DONE));
  await worker.reconcile();
  t.equal((await store.pending()).length, 1);
});

t.test('a worker that stops hands its job to the next one at once', async (t) => {
  const { submit, work, until } = await jobsForTest(t, redis.url);
  const entry = await stubEntry(t, `if (countStart() === 1) { progress(0.5); hang(); } else ${DONE}`);
  const first = await work(entry);
  const { job } = await submit();
  await until(job.id, ({ progress }) => progress === 0.5);
  await first.close();
  const began = performance.now();
  await work(entry);
  t.match(await until(job.id, ended), { status: 'succeeded', attempt: 2 });
  t.ok(performance.now() - began < 4000, 'sooner than its lock runs out');
});
