import { join } from 'node:path';
import t, { type Test } from 'tap';
import { newId } from '../../src/ids.js';
import { digestOfKey, JobStore } from '../../src/jobs/job-store.js';
import { expire } from '../../src/maintenance/expire.js';
import { zip } from '../helpers/archives.js';
import { datasetsIn, images } from '../helpers/datasets.js';
import { jobRecord, jobResult } from '../helpers/jobs.js';

const DAY_MS = 24 * 3600 * 1000;

function folder(t: Test) {
  const { datasets, storage, create } = datasetsIn(join(t.testdir()));
  const store = new JobStore({ storage });
  const upload = async (name: string) => (await create(zip(await images(`a/${name}.png`, `b/${name}.png`)))).id;
  const job = async (dataset: string, endedAt?: number, key?: string) => {
    const record = jobRecord({ dataset });
    if (key) {
      await store.bindIdempotencyKey({ tenant: 'default', key, fingerprint: '', job: record.id });
      record.idempotency = digestOfKey(key);
    }
    await store.create(record);
    if (endedAt === undefined) return record;
    await store.finish(record, jobResult('failed', { finished_at: new Date(endedAt).toISOString() }));
    await store.settle(record, []);
    return record;
  };
  const after = (days: number, limits: { datasetDays?: number; jobDays?: number }) =>
    expire({ storage, datasets, store, datasetDays: 0, jobDays: 0, now: Date.now() + days * DAY_MS, ...limits });
  return { datasets, store, storage, upload, job, after };
}

t.test('without a setting everything stays for ever', async (t) => {
  const { datasets, store, upload, job, after } = folder(t);
  const dataset = await upload('1');
  await job(dataset, Date.now());
  t.same(await after(30_000, {}), { datasets: 0, jobs: 0 });
  t.equal((await datasets.list('default', { limit: 10 })).data.length, 1);
  t.equal((await store.list('default')).length, 1);
});

t.test('a data set goes at its age, but for one that a job needs which has not ended', async (t) => {
  const { datasets, upload, job, after } = folder(t);
  const [old, used] = [await upload('1'), await upload('2')];
  await job(used);
  t.same(await after(6, { datasetDays: 7 }), { datasets: 0, jobs: 0 }, 'not yet');
  t.same(await after(8, { datasetDays: 7 }), { datasets: 1, jobs: 0 });
  await t.rejects(datasets.get('default', old), { code: 'dataset_not_found' });
  t.equal((await datasets.get('default', used)).id, used);
});

t.test('a job goes so long after its end, with its Idempotency-Key; one that has not ended stays', async (t) => {
  const { store, storage, upload, job, after } = folder(t);
  const dataset = await upload('1');
  const [ended, lately, waiting] = [
    await job(dataset, Date.now(), 'key'),
    await job(dataset, Date.now() + 5 * DAY_MS),
    await job(dataset),
  ];
  t.same(await after(8, { jobDays: 7 }), { datasets: 0, jobs: 1 });
  t.equal(await store.record('default', ended.id), undefined);
  t.same((await store.list('default')).sort(), [lately.id, waiting.id].sort());
  t.same(await storage.list('tenants/default/idempotency'), []);
  t.same(await after(8, { jobDays: 7 }), { datasets: 0, jobs: 0 }, 'again: nothing is left to do');
});

t.test('more data sets than a page go all', async (t) => {
  const { storage, datasets, upload, after } = folder(t);
  const manifest = await datasets.get('default', await upload('1'));
  for (let i = 0; i < 130; i += 1) {
    const id = newId('ds');
    await storage.put(`tenants/default/datasets/${id}/manifest.json`, JSON.stringify({ ...manifest, id }));
  }
  t.equal((await after(2, { datasetDays: 1 })).datasets, 131);
  t.same(await storage.list('tenants/default/datasets'), []);
});
