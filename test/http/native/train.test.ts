import t, { type Test } from 'tap';
import type { Dataset } from '../../../src/schemas/datasets.js';
import type { Job } from '../../../src/schemas/jobs.js';
import { type AppForTest, appForTest } from '../../helpers/app.js';
import { zip } from '../../helpers/archives.js';
import { form, isProblem } from '../../helpers/http.js';
import { lightFiles } from '../../helpers/light-content.js';

const archive = zip(lightFiles(['a', 'b'], 5));
const file = { name: 'file', value: archive, filename: 'some.zip' };
const ZEROS = '0'.repeat(26);

/** An app with one data set. */
async function withDataset(t: Test, options: AppForTest = {}) {
  const app = await appForTest(t, options);
  const as = Object.keys(options.keys ?? {})[0];
  const who = as === undefined ? {} : { as };
  const { id } = await app.json<Dataset>('/v1/datasets', { method: 'POST', body: archive, status: 201, ...who });
  const postForm = (parts: Parameters<typeof form>[0], headers: Record<string, string> = {}) => {
    const made = form(parts);
    return app.send('/v1/jobs', { method: 'POST', body: made.body, headers: { ...made.headers, ...headers }, ...who });
  };
  return { ...app, dataset: id, postForm, datasetsLeft: () => app.storage.list(`tenants/${as ?? 'default'}/datasets`) };
}

t.test('settings as JSON become a job on a data set that is there', async (t) => {
  const { post, dataset, queue, json } = await withDataset(t);
  const answer = await post('/v1/jobs', { dataset, model: 'm', head: 'linear', seed: 3 });
  t.equal(answer.status, 202, answer.text);
  const job = JSON.parse(answer.text) as Job;
  t.equal(answer.headers.location, `/v1/jobs/${job.id}`);
  t.notOk(answer.headers['idempotency-replayed']);
  t.match(job, {
    status: 'queued',
    queue_position: 1,
    dataset,
    model: 'm',
    backbone: 'light',
    settings: { head: 'linear', seed: 3 },
    version: null,
    error: null,
  });
  t.same(queue.ids, [job.id], 'and it is queued');
  t.same(await json(`/v1/jobs/${job.id}`), job);
});

t.test('a job says who asked for it', async (t) => {
  const { json, dataset, post } = await withDataset(t, { keys: { alice: 'key-of-alice' } });
  const made = JSON.parse((await post('/v1/jobs', { dataset, model: 'm' }, { as: 'alice' })).text) as Job;
  t.match(made.by, /^[0-9a-f]{16}$/);
  t.equal((await json<Dataset>(`/v1/datasets/${dataset}`, { as: 'alice' })).by, made.by, 'and so does a data set');
  const local = await withDataset(t);
  const other = JSON.parse((await local.post('/v1/jobs', { dataset: local.dataset, model: 'm' })).text) as Job;
  t.equal(other.by, 'local', 'nobody in particular, without keys');
});

t.test('photos and settings in one form become a data set and a job', async (t) => {
  const { postForm, datasetsLeft, dataset } = await withDataset(t);
  const answer = await postForm([
    { name: 'model', value: 'm' },
    { name: 'seed', value: '8' },
    { name: 'hyperparameters', value: '{"epochs": 20}' },
    file,
    { name: 'description', value: 'after the file' },
  ]);
  t.equal(answer.status, 202, answer.text);
  const job = JSON.parse(answer.text) as Job;
  t.match(job.settings, { seed: 8, hyperparameters: { epochs: 20 }, description: 'after the file' });
  t.same(await datasetsLeft(), [dataset, job.dataset].sort());
});

t.test('the same key and request again answer with the same job', async (t) => {
  const { post, postForm, dataset, datasetsLeft } = await withDataset(t);
  const again = { headers: { 'idempotency-key': 'k' } };
  const first = await post('/v1/jobs', { dataset, model: 'm' }, again);
  const second = await post('/v1/jobs', { dataset, model: 'm' }, again);
  t.same([second.status, second.headers['idempotency-replayed']], [202, 'true']);
  t.equal(JSON.parse(second.text).id, JSON.parse(first.text).id);
  const other = await post('/v1/jobs', { dataset, model: 'other' }, again);
  isProblem(t, other, 422, 'idempotency_key_reused', 'another request');

  const parts = [{ name: 'model', value: 'm' }, file];
  const one = JSON.parse((await postForm(parts, { 'idempotency-key': 'f' })).text) as Job;
  const replay = await postForm(parts, { 'idempotency-key': 'f' });
  t.equal(replay.headers['idempotency-replayed'], 'true');
  t.match(JSON.parse(replay.text), { id: one.id, dataset: one.dataset });
  t.same(await datasetsLeft(), [dataset, one.dataset].sort(), 'the archive that came twice is kept once');
});

t.test('a form that does not become a job leaves no data set behind', async (t) => {
  const { postForm, datasetsLeft, dataset, json } = await withDataset(t);
  const model = { name: 'model', value: 'm' };
  for (const [what, fields, status, code] of [
    ['no model', [], 400, 'invalid_request'],
    ['a bad name', [{ name: 'model', value: 'Not A Name' }], 400, 'invalid_request'],
    ['a seed in words', [model, { name: 'seed', value: 'one' }], 400, 'invalid_request'],
    ['broken JSON', [model, { name: 'hyperparameters', value: '{' }], 400, 'invalid_request'],
    ['an unknown field', [model, { name: 'zzz', value: '1' }], 400, 'invalid_multipart'],
    ['a field twice', [model, model], 400, 'invalid_multipart'],
    ['no such backbone', [model, { name: 'backbone', value: 'none' }], 404, 'backbone_not_found'],
    ['a contradiction', [model, { name: 'weights', value: 'random' }], 422, 'setting_conflict'],
  ] as const) {
    isProblem(t, await postForm([file, ...fields]), status, code, what);
  }
  isProblem(t, await postForm([model]), 400, 'missing_file', 'no file');
  t.same(await datasetsLeft(), [dataset]);
  t.same(await json('/v1/jobs'), { data: [], has_more: false });
});

t.test('bodies that are not settings are refused', async (t) => {
  const { send, post, dataset } = await withDataset(t, { env: { MAX_JSON_BYTES: '5000' } });
  const raw = (body: string, type?: string) =>
    send('/v1/jobs', { method: 'POST', body, headers: type === undefined ? {} : { 'content-type': type } });
  const JSON_TYPE = 'application/json';
  isProblem(t, await raw('', JSON_TYPE), 400, 'invalid_json', 'empty');
  isProblem(t, await raw('{"model":', JSON_TYPE), 400, 'invalid_json', 'cut');
  isProblem(t, await raw('x', 'text/plain'), 415, 'unsupported_media_type', 'text');
  isProblem(t, await raw('{}', 'application/x-www-form-urlencoded'), 415, 'unsupported_media_type', 'a web form');
  for (const body of ['{}', '[]', 'null', '5']) isProblem(t, await raw(body, JSON_TYPE), 400, 'invalid_request', body);
  isProblem(t, await post('/v1/jobs', { dataset: `ds_${ZEROS}`, model: 'm' }), 404, 'dataset_not_found');
  isProblem(t, await post('/v1/jobs', { dataset, model: 'm', backbone: 'none' }), 404, 'backbone_not_found');
  const large = await post('/v1/jobs', { dataset, model: 'm', description: 'x'.repeat(5000) });
  t.match(isProblem(t, large, 413, 'too_large').detail, /MAX_JSON_BYTES/);
  isProblem(t, await post('/v1/jobs', { dataset, model: 'm' }, { headers: { 'idempotency-key': '' } }), 400);
});

t.test('an answer names the first of very many faults', async (t) => {
  const { post, dataset } = await withDataset(t);
  const unknown = Object.fromEntries(Array.from({ length: 60_000 }, (_, i) => [`x${i}`, 1]));
  const answer = await post('/v1/jobs', { dataset, model: 'm', ...unknown });
  const problem = isProblem(t, answer, 400, 'invalid_request');
  t.match(problem.errors!.at(-1)!.reason, /has \d+ more faults/);
  t.ok(answer.text.length < 20_000);
});

t.test('without Redis no job is taken, and the form’s data set is not kept', async (t) => {
  const { post, postForm, dataset, datasetsLeft, queue } = await withDataset(t);
  queue.away = true;
  const answer = await post('/v1/jobs', { dataset, model: 'm' });
  t.equal(answer.status, 503);
  t.match(JSON.parse(answer.text), { code: 'queue_unavailable' });
  t.equal(answer.headers['retry-after'], '1');
  t.equal((await postForm([{ name: 'model', value: 'm' }, file])).status, 503);
  t.same(await datasetsLeft(), [dataset]);
});

t.test('a tenant has so many models and open jobs', async (t) => {
  const { post, dataset, publish } = await withDataset(t, { env: { MAX_MODELS: '1', MAX_OPEN_JOBS: '2' } });
  await publish({ model: 'mine' });
  const another = await post('/v1/jobs', { dataset, model: 'another' });
  t.match(isProblem(t, another, 403, 'quota_exceeded').detail, /MAX_MODELS/);
  const submit = () => post('/v1/jobs', { dataset, model: 'mine' });
  t.equal((await submit()).status, 202, 'another version of the same model');
  t.equal((await submit()).status, 202);
  const third = await submit();
  t.match(isProblem(t, third, 429, 'too_many_jobs').detail, /MAX_OPEN_JOBS/);
  t.equal(third.headers['retry-after'], '10');
});
