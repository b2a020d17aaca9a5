import t from 'tap';
import { JobStore } from '../../src/jobs/job-store.js';
import type { JobEvent } from '../../src/schemas/jobs.js';
import { FileStorage } from '../../src/storage/file-storage.js';
import { jobRecord, jobResult } from '../helpers/jobs.js';

function storeIn(root: string) {
  const storage = new FileStorage({ root });
  return { storage, store: new JobStore({ storage }) };
}

t.test('a record is there as it was written, and only its tenant sees it', async (t) => {
  const { store } = storeIn(t.testdir());
  const record = jobRecord();
  t.equal(await store.create(record), true);
  t.same(await store.get('default', record.id), {
    record,
    result: undefined,
    cancel_requested: false,
    started_at: null,
  });
  await t.rejects(store.get('other', record.id), { code: 'job_not_found' });
  t.equal(await store.create({ ...record, needs: {} }), false);
  t.same((await store.get('default', record.id)).record, record);
});

t.test('an id that is none is no job and no path', async (t) => {
  const { store } = storeIn(t.testdir());
  for (const id of ['', '..', '../../x', 'job_', `job_${'A'.repeat(26)}`]) {
    await t.rejects(store.get('default', id), { code: 'job_not_found' }, id);
  }
});

t.test('jobs are listed newest first, after one of them', async (t) => {
  const { store } = storeIn(t.testdir());
  const records = ['a', 'b', 'c'].map((letter) => jobRecord({ id: `job_${letter.repeat(26)}` }));
  for (const record of records) await store.create(record);
  const [a, b, c] = records.map(({ id }) => id);
  t.same(await store.list('default'), [c, b, a]);
  t.same(await store.list('default', { after: c! }), [b, a]);
  t.same(await store.list('default', { after: a! }), []);
  t.same(await store.list('other'), []);
});

t.test('of many who say how a job ended, the first decides', async (t) => {
  const { store } = storeIn(t.testdir());
  const record = jobRecord();
  await store.create(record);
  const statuses = ['succeeded', 'failed', 'cancelled'] as const;
  const decided = await Promise.all(
    Array.from({ length: 9 }, (_, i) => store.finish(record, jobResult(statuses[i % 3]!))),
  );
  t.equal(decided.filter(Boolean).length, 1);
  t.equal((await store.result(record))?.status, statuses[decided.indexOf(true) % 3]);
});

t.test('a job is pending until it is settled; then its events lie in storage', async (t) => {
  const { store } = storeIn(t.testdir());
  const [first, second] = [jobRecord(), jobRecord({ tenant: 'ada' })];
  await store.create(first);
  await store.create(second);
  // Ids of one millisecond are in any order.
  const pending = await store.pending();
  t.same(
    pending.sort((a, b) => (a.tenant < b.tenant ? 1 : -1)),
    [
      { id: first.id, tenant: 'default' },
      { id: second.id, tenant: 'ada' },
    ],
  );
  t.equal(await store.events(first), undefined);
  const events: JobEvent[] = [
    { seq: 1, at: '2026-01-01T00:00:00.000Z', type: 'created', message: 'line\nbreak', data: { n: 1 } },
  ];
  await store.settle(first, events);
  await store.settle(first, []);
  t.same(await store.events(first), events, 'settling again changes nothing');
  t.same(await store.pending(), [{ id: second.id, tenant: 'ada' }]);
});

t.test('the first start counts, and a wish to cancel stays', async (t) => {
  const { store } = storeIn(t.testdir());
  const record = jobRecord();
  await store.create(record);
  await store.markStarted(record);
  const { started_at } = await store.get('default', record.id);
  await store.markStarted(record);
  t.equal((await store.get('default', record.id)).started_at, started_at);
  t.equal(await store.isCancelRequested(record), false);
  await store.requestCancel(record);
  await store.requestCancel(record);
  t.equal((await store.get('default', record.id)).cancel_requested, true);
});

t.test('an Idempotency-Key belongs to one request of one tenant', async (t) => {
  const { store } = storeIn(t.testdir());
  const bind = (tenant: string, job: string, fingerprint = 'same') =>
    store.bindIdempotencyKey({ tenant, key: 'any text, ü / ..', fingerprint, job });
  const bound = await Promise.all(Array.from({ length: 5 }, (_, i) => bind('default', `job-${i}`)));
  t.equal(new Set(bound).size, 1, 'all at once end with one job');
  t.equal(await bind('default', 'later'), bound[0]);
  t.equal(await bind('ada', 'hers'), 'hers');
  await t.rejects(bind('default', 'x', 'another request'), {
    code: 'idempotency_key_reused',
    details: { job: bound[0] },
  });
});
