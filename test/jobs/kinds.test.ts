/** What jobs/ does is the same for a kind that it has never heard of. */
import t from 'tap';
import type { JobRecord } from '../../src/jobs/job-store.js';
import { expire } from '../../src/maintenance/expire.js';
import { datasetsIn } from '../helpers/datasets.js';
import { ended, jobsForTest, NO_RULES, stubEntry } from '../helpers/jobs.js';
import { redisForTest } from '../helpers/redis.js';

const redis = await redisForTest(t);
const DAY_MS = 24 * 3600 * 1000;
const PULL = { kind: 'pull', by: '0123456789abcdef', input: { backbone: 'mobilenet', from: 'catalog' }, needs: {} };

t.test('a kind without data set and model is queued, run, told, listed, and goes at its age', async (t) => {
  const { submit, settled, work, until, jobs, store, storage } = await jobsForTest(t, redis.url);
  const cleaned: [JobRecord, boolean][] = [];
  const entry = await stubEntry(
    t,
    `tell({ type: 'progress', progress: { phase: 'downloading', progress: 0.5, seconds_left: 2 } });
    tell({ type: 'event', event: { type: 'phase', message: 'Downloading', data: { phase: 'downloading' } } });
    setTimeout(() => end({ type: 'done', output: { bytes: 14, from: record.input.from } }), 300);`,
  );
  await work(entry, {
    kinds: { pull: { ...NO_RULES, cleanUp: async (record, { succeeded }) => void cleaned.push([record, succeeded]) } },
  });
  const { job } = await submit({ ...PULL, idempotencyKey: 'k' });
  t.match(job, { kind: 'pull', by: PULL.by, status: 'queued', dataset: null, model: null, backbone: 'mobilenet' });
  const running = await until(job.id, ({ phase }) => phase !== null);
  t.match(running, { phase: 'downloading', progress: 0.5, seconds_left: 2, examples: null, metrics: null });
  const last = await until(job.id, ended);
  t.match(last, { status: 'succeeded', settings: null, version: null, accuracy: null });
  t.same(last.output, { bytes: 14, from: 'catalog' });
  await settled();
  t.match(cleaned, [[{ kind: 'pull', id: job.id }, true]]);
  t.match(
    (await jobs.events('default', job.id)).map(({ type, message, data }) => ({ type, message, data })),
    [
      { type: 'created' },
      { type: 'started' },
      { type: 'phase', data: { phase: 'downloading' } },
      { type: 'succeeded', message: 'The job is done', data: { bytes: 14 } },
    ],
  );
  t.match(await jobs.list('default', { limit: 10 }), { data: [{ id: job.id, kind: 'pull' }] });
  const { datasets } = datasetsIn(t.testdir());
  const later = { storage, datasets, store, datasetDays: 7, jobDays: 7, now: Date.now() + 8 * DAY_MS };
  t.same(await expire(later), { datasets: 0, jobs: 1 });
  t.same(await storage.list('tenants/default/jobs'), []);
  t.same(await storage.list('tenants/default/idempotency'), []);
});

t.test('a job that makes a data set names it once it has ended', async (t) => {
  const { submit, work, until } = await jobsForTest(t, redis.url);
  const dataset = 'ds_00000000000000000000000001';
  const entry = await stubEntry(t, `end({ type: 'done', output: { dataset: '${dataset}', understood: 'folders' } });`);
  await work(entry, { kinds: { intake: NO_RULES } });
  const { job } = await submit({ kind: 'intake', input: { name: 'photos.zip' }, needs: {} });
  t.equal(job.dataset, null);
  t.match(await until(job.id, ended), { status: 'succeeded', dataset, output: { understood: 'folders' } });
});

t.test('what a job needs is in use until it has ended, whatever its kind', async (t) => {
  const { submit, jobs } = await jobsForTest(t, redis.url);
  const datasets = ['ds_00000000000000000000000001', 'ds_00000000000000000000000002'];
  const { job } = await submit({ kind: 'recommend', input: {}, needs: { datasets } });
  for (const id of datasets) t.equal(await jobs.uses('default', id), true);
  t.match(await jobs.cancel('default', job.id), { kind: 'recommend', status: 'cancelled' });
  for (const id of datasets) t.equal(await jobs.uses('default', id), false);
});

t.test('the same Idempotency-Key for another kind is another request', async (t) => {
  const { submit } = await jobsForTest(t, redis.url);
  await submit({ ...PULL, idempotencyKey: 'k' });
  t.match(await submit({ ...PULL, idempotencyKey: 'k' }), { replayed: true });
  await t.rejects(submit({ ...PULL, kind: 'push', idempotencyKey: 'k' }), { code: 'idempotency_key_reused' });
});

t.test('a running job of any kind is cancelled; what it had brought about for good counts', async (t) => {
  const { submit, work, until, jobs } = await jobsForTest(t, redis.url);
  const running = `tell({ type: 'progress', progress: { phase: 'x', progress: 0.5, seconds_left: null } }); hang();`;
  await work(await stubEntry(t, running), {
    kinds: { pull: NO_RULES, push: { ...NO_RULES, finished: async ({ id }) => ({ pushed: id }) } },
  });
  const ids: string[] = [];
  for (const kind of ['pull', 'push']) {
    const { id } = (await submit({ ...PULL, kind })).job;
    await until(id, ({ progress }) => progress === 0.5);
    await jobs.cancel('default', id);
    await until(id, ended);
    ids.push(id);
  }
  t.match(await jobs.get('default', ids[0]!), { status: 'cancelled', output: null });
  t.match(await jobs.get('default', ids[1]!), { status: 'succeeded', output: { pushed: ids[1] } });
});

t.test('a worker that does not know a kind ends such a job with a sentence', async (t) => {
  const { submit, work, until } = await jobsForTest(t, redis.url);
  await work(await stubEntry(t, 'hang();'));
  const { job } = await submit({ ...PULL, kind: 'of_the_future' });
  t.match(await until(job.id, ended), {
    status: 'failed',
    error: { code: 'job_kind_unknown', message: /jobs of kind 'of_the_future'\. Start workers of the same release/ },
  });
});
