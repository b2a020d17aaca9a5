import { setImmediate as turn } from 'node:timers/promises';
import t from 'tap';
import { digestOfKey, JobStore } from '../../src/jobs/job-store.js';
import type { JobEvent } from '../../src/schemas/jobs.js';
import type { Storage } from '../../src/storage/contract.js';
import { counting } from '../helpers/counting-storage.js';
import { jobRecord, jobResult } from '../helpers/jobs.js';
import { DRIVERS } from '../helpers/storages.js';

function storeOn(storage: Storage) {
  return { storage, store: new JobStore({ storage }) };
}

for (const [which, make] of Object.entries(DRIVERS)) {
  t.test(which, async (t) => {
    t.test('a record is there as it was written, and only its tenant sees it', async (t) => {
      const { store } = storeOn(make(t));
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
      const { store } = storeOn(make(t));
      for (const id of ['', '..', '../../x', 'job_', `job_${'A'.repeat(26)}`]) {
        await t.rejects(store.get('default', id), { code: 'job_not_found' }, id);
      }
    });

    t.test('jobs are listed newest first, after one of them', async (t) => {
      const { store } = storeOn(make(t));
      const records = ['a', 'b', 'c'].map((letter) => jobRecord({ id: `job_${letter.repeat(26)}` }));
      for (const record of records) await store.create(record);
      const [a, b, c] = records.map(({ id }) => id);
      t.same(await store.list('default'), [c, b, a]);
      t.same(await store.list('default', { after: c! }), [b, a]);
      t.same(await store.list('default', { after: a! }), []);
      t.same(await store.list('other'), []);
    });

    t.test('of many who say how a job ended, the first decides', async (t) => {
      const { store } = storeOn(make(t));
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
      const { store } = storeOn(make(t));
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
      const { store } = storeOn(make(t));
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
      const { store } = storeOn(make(t));
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

    t.test('a job that is being deleted is there with its result, or not at all', async (t) => {
      const { store, storage } = storeOn(make(t));
      const record = jobRecord({ idempotency: digestOfKey('key') });
      await store.bindIdempotencyKey({ tenant: 'default', key: 'key', fingerprint: '', job: record.id });
      await store.create(record);
      await store.markStarted(record);
      await store.requestCancel(record);
      t.equal(await store.delete(record), false, 'not before it has ended');
      await store.finish(record, jobResult('failed'));
      t.equal(await store.delete(record), false, 'nor before it is settled');
      await store.settle(record, []);
      let done = false;
      const readers = [store, new JobStore({ storage })];
      const deleting = store.delete(record).then(() => {
        done = true;
      });
      let seen = 0;
      while (!done) {
        for (const reader of readers) {
          const found = await reader.get('default', record.id).catch(() => undefined);
          const { data } = await reader.page('default', { limit: 10 });
          for (const job of found ? [found, ...data] : data) {
            seen += 1;
            if (job.result?.status !== 'failed' || job.started_at === null || !job.cancel_requested)
              t.fail('it is torn');
          }
          if (!found && data.length > 0) t.fail('a list shows it after it was gone');
        }
        await turn();
      }
      await deleting;
      t.comment(`it was seen whole ${seen} times`);
      t.same(await storage.list('tenants/default/jobs'), []);
      t.same(await storage.list('tenants/default/idempotency'), []);
      await t.rejects(store.get('default', record.id), { code: 'job_not_found' });
    });

    t.test('a deletion that was broken off is seen by whoever uses the id, and can be ended', async (t) => {
      for (let at = 1; at <= 12; at += 1) {
        const storage = make(t);
        const { store } = storeOn(storage);
        const record = jobRecord({ idempotency: digestOfKey(`key ${at}`) });
        const bind = (job: string) =>
          store.bindIdempotencyKey({ tenant: 'default', key: `key ${at}`, fingerprint: '', job });
        await bind(record.id);
        await store.create(record);
        await store.finish(record, jobResult('succeeded'));
        await store.settle(record, []);
        let changes = 0;
        const dying = new Proxy(storage, {
          get:
            (target, name: keyof Storage) =>
            (...args: never[]) => {
              if (name === 'put' || name === 'delete') changes += 1;
              if (changes >= at) return Promise.reject(new Error('it died'));
              return (target[name] as (...args: never[]) => unknown).apply(target, args);
            },
        });
        const ended = await new JobStore({ storage: dying }).delete(record).then(
          () => true,
          () => false,
        );
        const exists = (await store.record('default', record.id)) !== undefined;
        t.same((await store.page('default', { limit: 10 })).data.length, exists && !ended ? 1 : 0, `change ${at}`);
        if (!exists && !ended) {
          t.equal(await store.isBeingDeleted(record), true, 'its id is not free');
          t.equal(await bind('another'), 'another', 'and its key is');
        }
        if (at > 1) t.equal(await store.delete(record), !ended, 'it is ended');
        if (at > 1) t.same(await storage.list('tenants/default/jobs'), []);
        await storage.delete('tenants');
      }
    });

    t.test('a list costs one call a row, beside what is read once', async (t) => {
      const { storage, calls } = counting(make(t));
      const { store } = storeOn(storage);
      const make10 = async (settled: boolean) => {
        for (let i = 0; i < 10; i += 1) {
          const record = jobRecord();
          await store.create(record);
          await store.markStarted(record);
          if (!settled) continue;
          await store.finish(record, jobResult('succeeded'));
          await store.settle(record, []);
        }
      };
      const cost = async (reader: JobStore) => {
        calls.length = 0;
        const { data } = await reader.page('default', { limit: 100 });
        return { rows: data.length, calls: calls.length };
      };
      await make10(true);
      const fresh = new JobStore({ storage });
      t.same(await cost(fresh), { rows: 10, calls: 2 + 10 }, 'jobs that have ended are a file each');
      await make10(false);
      t.same(await cost(fresh), { rows: 20, calls: 2 + 10 + 10 * 3 }, 'others a listing each, and what is read once');
      t.same(await cost(fresh), { rows: 20, calls: 2 + 10 + 10 });
    });

    t.test('a page of jobs says what each says by itself, newest first', async (t) => {
      const { store } = storeOn(make(t));
      const ids = ['a', 'b', 'c', 'd'].map((letter) => `job_${letter.repeat(26)}`);
      for (const id of ids) await store.create(jobRecord({ id }));
      const [a, b, c] = ids.map((id) => ({ tenant: 'default', id }));
      await store.markStarted(b!);
      await store.finish(b!, jobResult('succeeded'));
      await store.markStarted(c!);
      await store.finish(c!, jobResult('failed'));
      await store.settle(c!, []);
      await store.requestCancel(a!);
      const { data, has_more } = await store.page('default', { limit: 3, after: ids[3] });
      t.equal(has_more, false);
      t.same(JSON.parse(JSON.stringify(data.map(({ record }) => record.id))), [c!.id, b!.id, a!.id]);
      for (const job of data) t.same(job, await store.get('default', job.record.id));
      const first = await store.page('default', { limit: 2 });
      t.same([first.data.map(({ record }) => record.id), first.has_more], [[ids[3], ids[2]], true]);
      t.same((await store.page('other', { limit: 2 })).data, []);
    });
  });
}
