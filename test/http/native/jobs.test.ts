import t, { type Test } from 'tap';
import { TENANT_SCOPES } from '../../../src/access/scopes.js';
import type { Dataset } from '../../../src/schemas/datasets.js';
import type { Job } from '../../../src/schemas/jobs.js';
import { appForTest } from '../../helpers/app.js';
import { zip } from '../../helpers/archives.js';
import { isProblem } from '../../helpers/http.js';
import { lightFiles } from '../../helpers/light-content.js';

const ZEROS = '0'.repeat(26);

async function withJobs(t: Test, count: number) {
  const app = await appForTest(t);
  const body = zip(lightFiles(['a', 'b'], 5));
  const { id: dataset } = await app.json<Dataset>('/v1/datasets', { method: 'POST', body, status: 201 });
  const ids: string[] = [];
  for (let n = 0; n < count; n += 1) {
    ids.push((JSON.parse((await app.post('/v1/jobs', { dataset, model: 'm' })).text) as Job).id);
  }
  return { ...app, ids, cancel: (id: string) => app.send(`/v1/jobs/${id}/cancel`, { method: 'POST' }) };
}

t.test('jobs are listed newest first, page by page', async (t) => {
  const { json, ids } = await withJobs(t, 3);
  type Page = { data: Job[]; has_more: boolean };
  const newest = [...ids].reverse();
  const all = await json<Page>('/v1/jobs');
  t.same([all.data.map(({ id }) => id), all.has_more], [newest, false]);
  t.same(all.data[0], await json(`/v1/jobs/${newest[0]}`));
  const page = await json<Page>('/v1/jobs?limit=2');
  t.same([page.data.map(({ id }) => id), page.has_more], [newest.slice(0, 2), true]);
  const rest = await json<Page>(`/v1/jobs?limit=2&after=${newest[1]}`);
  t.same([rest.data.map(({ id }) => id), rest.has_more], [newest.slice(2), false]);
});

t.test('a waiting job is cancelled at once, a running one is asked to stop', async (t) => {
  const { json, cancel, ids, start, end, live } = await withJobs(t, 3);
  const [waiting, running, ended] = ids as [string, string, string];
  const answer = await cancel(waiting);
  t.equal(answer.status, 202);
  t.match(JSON.parse(answer.text), { status: 'cancelled', cancel_requested: true });
  t.equal((await cancel(waiting)).status, 202, 'once more changes nothing');
  await start({ id: running });
  t.match(JSON.parse((await cancel(running)).text), { status: 'running', cancel_requested: true });
  t.same(live.cancelled, [running], 'its worker was told');
  await end({ id: ended });
  isProblem(t, await cancel(ended), 409, 'job_finished');
  t.match(await json(`/v1/jobs/${ended}`), { status: 'succeeded', progress: 1 });
});

t.test('a job that is not there, and what is no id, are refused', async (t) => {
  const { send, cancel } = await withJobs(t, 0);
  isProblem(t, await send(`/v1/jobs/job_${ZEROS}`), 404, 'job_not_found');
  isProblem(t, await cancel(`job_${ZEROS}`), 404, 'job_not_found');
  for (const path of ['/v1/jobs/1', '/v1/jobs/job_%00', `/v1/jobs?after=${'x'.repeat(201)}`, '/v1/jobs?limit=0']) {
    isProblem(t, await send(path), 400, 'invalid_request', path);
  }
});

t.test('who runs the service sees the jobs of all tenants, others do not', async (t) => {
  const { json, send } = await appForTest(t, {
    keys: { alice: 'alice', bob: 'bob', root: 'root' },
    scopes: { alice: TENANT_SCOPES, bob: TENANT_SCOPES, root: ['operator'] },
  });
  const made: [string, string][] = [];
  for (const as of ['alice', 'bob', 'alice']) {
    const archive = zip(lightFiles(['a', 'b'], 3));
    const { id: dataset } = await json<{ id: string }>('/v1/datasets', {
      method: 'POST',
      body: archive,
      as,
      status: 201,
    });
    const body = JSON.stringify({ model: 'm', dataset });
    const headers = { 'content-type': 'application/json' };
    const { id } = await json<Job>('/v1/jobs', { method: 'POST', body, headers, as, status: 202 });
    made.unshift([as, id]);
    await new Promise((resolve) => setTimeout(resolve, 2)); // ids sort by the millisecond
  }
  type Listed = { data: (Job & { tenant: string })[]; has_more: boolean };
  const pairs = ({ data }: Listed) => data.map(({ tenant, id }) => [tenant, id]);
  t.same(pairs(await json<Listed>('/v1/service/jobs', { as: 'root' })), made);
  const first = await json<Listed>('/v1/service/jobs?limit=1', { as: 'root' });
  t.same([pairs(first), first.has_more], [made.slice(0, 1), true]);
  t.same(pairs(await json<Listed>(`/v1/service/jobs?after=${made[0]![1]}`, { as: 'root' })), made.slice(1));
  t.same((await json<Listed>('/v1/service/jobs?status=succeeded', { as: 'root' })).data, []);
  isProblem(t, await send('/v1/service/jobs', { as: 'alice' }), 403, 'forbidden');
  isProblem(t, await send('/v1/jobs', { as: 'root' }), 403, 'forbidden', 'nor may it look into a tenant');
});
