import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import t, { type Test } from 'tap';
import type { Dataset, DatasetSummary } from '../../../src/schemas/datasets.js';
import { understood } from '../../../src/bin/intake-rules.js';
import { JobStore } from '../../../src/jobs/job-store.js';
import type { IntakeInput, Job } from '../../../src/schemas/jobs.js';
import { appForTest } from '../../helpers/app.js';
import { zip } from '../../helpers/archives.js';
import { form, isProblem } from '../../helpers/http.js';
import { content, lightFiles } from '../../helpers/light-content.js';

const files = lightFiles(['a', 'b'], 5);
const archive = zip(files);
const file = { name: 'file', value: archive, filename: 'some.zip', type: 'application/zip' };
const ZEROS = '0'.repeat(26);

/** An app that has nothing, and a way to see that it still has nothing. */
async function empty(t: Test, env: Record<string, string> = {}) {
  const app = await appForTest(t, { env });
  const nothingLeft = async (what: string) => {
    t.same(await app.storage.list('tenants/default/datasets'), [], `${what}: no data set is left`);
    t.same(await readdir(app.folder), [], `${what}: no temporary file is left`);
  };
  return { ...app, nothingLeft };
}

t.test('an archive is taken in as a form and as a raw body, and both say the same', async (t) => {
  const { send, json } = await appForTest(t);
  const asForm = await send('/v1/datasets', { method: 'POST', ...form([file]) });
  t.equal(asForm.status, 201, asForm.text);
  const dataset = JSON.parse(asForm.text) as Dataset;
  t.equal(asForm.headers.location, `/v1/datasets/${dataset.id}`);
  t.match(dataset, { name: 'some.zip', by: 'local', examples: 10, refused: [], duplicates: [] });
  t.same(
    dataset.classes.map(({ label, examples }) => [label, examples]),
    [
      ['a', 5],
      ['b', 5],
    ],
  );
  for (const type of ['', 'application/zip', 'application/json']) {
    const headers: Record<string, string> = type === '' ? {} : { 'content-type': type };
    const raw = await json<Dataset>('/v1/datasets', { method: 'POST', body: archive, headers, status: 201 });
    const { id: _a, created_at: _b, name: _c, ...same } = dataset;
    const { id: _d, created_at: _e, name, ...other } = raw;
    t.same(other, same);
    t.equal(name, null);
  }
  const named = await json<Dataset>('/v1/datasets', {
    method: 'POST',
    body: archive,
    headers: { 'content-disposition': 'attachment; filename="x\u001b.zip"' },
    status: 201,
  });
  t.equal(named.name, 'x.zip', 'a name without control characters');
  t.same(await json(`/v1/datasets/${dataset.id}`), dataset);
});

t.test('data sets are listed newest first, page by page, and deleted', async (t) => {
  const { send, json } = await appForTest(t);
  const ids: string[] = [];
  for (let n = 0; n < 3; n += 1) {
    ids.unshift((await json<Dataset>('/v1/datasets', { method: 'POST', body: archive, status: 201 })).id);
  }
  type Page = { data: DatasetSummary[]; has_more: boolean };
  const all = await json<Page>('/v1/datasets');
  t.same([all.data.map(({ id }) => id), all.has_more], [ids, false]);
  t.notOk('classes' in all.data[0]!, 'a row is a summary');
  const first = await json<Page>('/v1/datasets?limit=2');
  t.same([first.data.map(({ id }) => id), first.has_more], [ids.slice(0, 2), true]);
  const rest = await json<Page>(`/v1/datasets?limit=2&after=${ids[1]}`);
  t.same([rest.data.map(({ id }) => id), rest.has_more], [ids.slice(2), false]);
  t.equal((await send(`/v1/datasets/${ids[0]}`, { method: 'DELETE' })).status, 204);
  isProblem(t, await send(`/v1/datasets/${ids[0]}`), 404, 'dataset_not_found', 'gone');
  isProblem(t, await send(`/v1/datasets/${ids[0]}`, { method: 'DELETE' }), 404, 'dataset_not_found', 'twice');
});

t.test('a data set that a job needs stays until the job has ended', async (t) => {
  const { send, json, post, end } = await appForTest(t);
  const { id } = await json<Dataset>('/v1/datasets', { method: 'POST', body: archive, status: 201 });
  const { id: job } = JSON.parse((await post('/v1/jobs', { dataset: id, model: 'm' })).text);
  const refused = await send(`/v1/datasets/${id}`, { method: 'DELETE' });
  isProblem(t, refused, 409, 'dataset_in_use', 'needed');
  t.equal((await send(`/v1/datasets/${id}`)).status, 200);
  await end({ id: job });
  t.equal((await send(`/v1/datasets/${id}`, { method: 'DELETE' })).status, 204);
});

t.test('ids that are not there or not ids, and wrong queries, are refused', async (t) => {
  const { send } = await appForTest(t);
  for (const method of ['GET', 'DELETE'] as const) {
    isProblem(t, await send(`/v1/datasets/ds_${ZEROS}`, { method }), 404, 'dataset_not_found', method);
  }
  for (const path of [
    '/v1/datasets/1',
    '/v1/datasets/DS_1',
    '/v1/datasets/..%2f..%2fetc',
    '/v1/datasets?limit=0',
    '/v1/datasets?limit=1001',
    '/v1/datasets?limit=ten',
    '/v1/datasets?limit=1.5',
    '/v1/datasets?unknown=1',
    `/v1/datasets?after=${'x'.repeat(201)}`,
  ]) {
    isProblem(t, await send(path), 400, 'invalid_request', path);
  }
  for (const after of [`job_${ZEROS}`, 'x']) {
    isProblem(t, await send(`/v1/datasets?after=${after}`), 400, 'invalid_request', `a foreign cursor: ${after}`);
  }
  for (const path of ['/v1/datasets/', '/v1/datasets?after=']) t.equal((await send(path)).status, 200, path);
});

t.test('what is too large is answered 413 and leaves nothing', async (t) => {
  const env = { MAX_UPLOAD_BYTES: '2000', MAX_ARCHIVE_ENTRIES: '20' };
  const { send, nothingLeft } = await empty(t, env);
  const large = Buffer.alloc(2001);
  isProblem(t, await send('/v1/datasets', { method: 'POST', body: large }), 413, undefined, 'raw');
  const inForm = form([{ ...file, value: large }]);
  isProblem(t, await send('/v1/datasets', { method: 'POST', ...inForm }), 413, undefined, 'in a form');
  const many = zip(Array.from({ length: 21 }, (_, i) => ({ name: `a/${i}.txt`, bytes: '' })));
  isProblem(t, await send('/v1/datasets', { method: 'POST', body: many }), 413, undefined, '21 entries');
  await nothingLeft('too large');
});

t.test('forms that are not right are refused and leave nothing', async (t) => {
  const { send, nothingLeft } = await empty(t);
  const post = (body: Buffer, type: string) =>
    send('/v1/datasets', { method: 'POST', body, headers: { 'content-type': type } });
  const right = form([file]);
  const type = right.headers['content-type']!;
  isProblem(t, await post(right.body, 'multipart/form-data'), 400, 'invalid_multipart', 'no boundary');
  isProblem(t, await post(right.body, 'multipart/form-data; boundary=other'), 400, undefined, 'another boundary');
  isProblem(t, await post(right.body.subarray(0, 500), type), 400, 'invalid_multipart', 'cut');
  for (const [what, parts, code] of [
    ['no part', [], undefined],
    ['no file', [{ name: 'dry_run', value: 'true' }], 'missing_file'],
    ['an unknown field', [{ name: 'x', value: '1' }, file], 'invalid_multipart'],
    ['dry_run that is no word of ours', [{ name: 'dry_run', value: 'perhaps' }, file], 'invalid_request'],
    ['a layout that is no JSON', [file, { name: 'layout', value: '{kind' }], 'invalid_request'],
    ['a layout with a word of its own', [file, { name: 'layout', value: '{"kind":"magic"}' }], 'invalid_request'],
    ['a long field', [{ name: 'x', value: 'x'.repeat(300_000) }, file], 'invalid_multipart'],
    ['a field twice', [{ name: 'x', value: '1' }, file, { name: 'x', value: '2' }], 'invalid_multipart'],
    [
      '60 fields',
      [...Array.from({ length: 60 }, (_, i) => ({ name: `f${i}`, value: 'x' })), file],
      'invalid_multipart',
    ],
    ['__proto__', [{ name: '__proto__', value: 'x' }, file], 'invalid_multipart'],
  ] as const) {
    isProblem(t, await send('/v1/datasets', { method: 'POST', ...form([...parts]) }), 400, code, what);
    await nothingLeft(what);
  }
});

t.test('a dry run answers how an archive is understood, and keeps nothing', async (t) => {
  const { send, nothingLeft } = await empty(t);
  const field = form([file, { name: 'dry_run', value: 'true' }]);
  const told = await send('/v1/datasets', { method: 'POST', ...field });
  t.equal(told.status, 200);
  t.match(JSON.parse(told.text), { examples: 10, class_count: 2, layout: { kind: 'class_folders' } });
  t.equal(told.headers.location, undefined);
  const query = await send('/v1/datasets?dry_run=true', { method: 'POST', body: file.value });
  t.equal(query.status, 200);
  await nothingLeft('a dry run');
});

t.test('a layout that the sender gives overrules the guess, and several archives become one data set', async (t) => {
  const { send } = await empty(t);
  const names = zip(['cat_1', 'cat_2', 'dog_1'].map((name, n) => ({ name: `all/${name}.txt`, bytes: content(0, n) })));
  const layout = JSON.stringify({ kind: 'names', pattern: '{label}_{number}' });
  const answer = await send(`/v1/datasets?layout=${encodeURIComponent(layout)}`, { method: 'POST', body: names });
  t.match(JSON.parse(answer.text), { layout: { kind: 'names' }, classes: [{ label: 'cat' }, { label: 'dog' }] });
  const [cat, dog] = ['cat', 'dog'].map((label) => ({
    ...file,
    filename: `${label}.zip`,
    value: zip([1, 2].map((n) => ({ name: `${n}.txt`, bytes: content(0, `${label} ${n}`) }))),
  }));
  const both = await send('/v1/datasets', { method: 'POST', ...form([cat!, dog!]) });
  t.match(JSON.parse(both.text), {
    name: 'cat.zip, dog.zip',
    classes: [
      { label: 'cat', examples: 2 },
      { label: 'dog', examples: 2 },
    ],
  });
});

t.test('an upload with another digest than announced is refused, and one with its own is taken', async (t) => {
  const { send, nothingLeft } = await empty(t);
  const digest = (bytes: Buffer) => `sha-256=:${createHash('sha256').update(bytes).digest('base64')}:`;
  const wrong = { 'repr-digest': digest(Buffer.from('other')) };
  const raw = (headers: Record<string, string>) => send('/v1/datasets', { method: 'POST', body: archive, headers });
  isProblem(t, await raw(wrong), 422, 'digest_mismatch', 'raw');
  const { body, headers } = form([file]);
  const inForm = await send('/v1/datasets', { method: 'POST', body, headers: { ...headers, ...wrong } });
  isProblem(t, inForm, 422, 'digest_mismatch', 'in a form');
  for (const bad of ['sha-256=:AAAA:', 'md5=:AAAA:', 'nonsense', 'sha-256=']) {
    isProblem(t, await raw({ 'repr-digest': bad }), 400, 'invalid_request', bad);
  }
  await nothingLeft('a wrong digest');
  t.equal((await raw({ 'repr-digest': digest(archive) })).status, 201);
});

t.test('what is no archive, and a tenant with as many data sets as it may have, are refused', async (t) => {
  const { send, nothingLeft } = await empty(t, { MAX_DATASETS: '1' });
  const post = (body: Buffer) => send('/v1/datasets', { method: 'POST', body });
  isProblem(t, await post(Buffer.from('no archive')), 415, 'not_an_archive');
  await nothingLeft('no archive');
  t.equal((await post(archive)).status, 201);
  t.match(isProblem(t, await post(archive), 403, 'quota_exceeded').detail, /MAX_DATASETS/);
});

t.test('with Prefer: respond-async an archive becomes a job, whose archive waits in storage', async (t) => {
  const { send, storage, datasets, folder, end, json } = await appForTest(t);
  const headers = { prefer: 'wait=5, Respond-Async' };
  const uploads = () => storage.list('tenants/default/uploads');
  const asForm = form([file, { name: 'name', value: 'Mine' }]);
  const answer = await send('/v1/datasets', {
    method: 'POST',
    ...asForm,
    headers: { ...asForm.headers, ...headers, 'idempotency-key': 'k' },
  });
  t.equal(answer.status, 202, answer.text);
  const job = JSON.parse(answer.text) as Job;
  t.match(job, { kind: 'intake', status: 'queued', dataset: null, model: null });
  t.match(answer.headers, { 'preference-applied': 'respond-async', location: `/v1/jobs/${job.id}` });
  t.same(await readdir(folder), [], 'nothing temporary is left');
  t.equal((await uploads()).length, 1);

  const again = await send('/v1/datasets', {
    method: 'POST',
    ...asForm,
    headers: { ...asForm.headers, ...headers, 'idempotency-key': 'k' },
  });
  t.equal(JSON.parse(again.text).id, job.id);
  t.equal(again.headers['idempotency-replayed'], 'true');
  t.equal((await uploads()).length, 1, 'the archive of a repeated request is not kept');
  const other = await send('/v1/datasets?name=Other', {
    method: 'POST',
    body: archive,
    headers: { ...headers, 'idempotency-key': 'k' },
  });
  isProblem(t, other, 422, 'idempotency_key_reused', 'another name');
  t.equal((await uploads()).length, 1, 'nor is that of a refused one');

  // What the process of the job does, twice: the second finds what the first made.
  const [id] = await uploads();
  const { input } = (await new JobStore({ storage }).record('default', job.id))!;
  const { uploads: kept, name } = input as unknown as IntakeInput;
  const options = { tenant: 'default', by: 'local', id: id!, name: name! };
  const dataset = await datasets.createFromKept(kept, options);
  t.match(dataset, { id, name: 'Mine', examples: 10, layout: { kind: 'class_folders' } });
  t.same(await datasets.createFromKept(kept, options), dataset);
  t.same(await readdir(folder), []);
  await datasets.settleIntake('default', id!, { succeeded: true });
  t.same(await uploads(), []);
  await end(job, { output: understood(dataset) });
  t.match(await json<Job>(`/v1/jobs/${job.id}`), {
    status: 'succeeded',
    dataset: id,
    output: { name: 'Mine', examples: 10, class_count: 2 },
    links: { dataset: `/v1/datasets/${id}` },
  });
});

t.test('an upload that waits: broken off, it leaves nothing; a dry run is answered at once', async (t) => {
  const { send, storage, queue, nothingLeft } = await empty(t);
  const headers = { prefer: 'respond-async' };
  const dry = await send('/v1/datasets?dry_run=true', { method: 'POST', body: archive, headers });
  t.equal(dry.status, 200);
  queue.away = true;
  const answer = await send('/v1/datasets', { method: 'POST', body: archive, headers });
  t.match([answer.status, JSON.parse(answer.text)], [503, { code: 'queue_unavailable' }]);
  t.same(await storage.list('tenants/default/uploads'), []);
  await nothingLeft('without a queue');
});

t.test('an Idempotency-Key on a data set: the same request again answers with the same one', async (t) => {
  const { send, storage, json } = await appForTest(t);
  const upload = (path = '/v1/datasets', body = archive) =>
    send(path, { method: 'POST', body, headers: { 'idempotency-key': 'k' } });
  const first = JSON.parse((await upload()).text) as Dataset;
  const again = await upload();
  t.equal(again.status, 201);
  t.same(JSON.parse(again.text), first);
  t.equal(again.headers['idempotency-replayed'], 'true');
  t.same(await storage.list('tenants/default/datasets'), [first.id]);
  isProblem(
    t,
    await upload('/v1/datasets', zip(lightFiles(['a', 'c'], 5))),
    422,
    'idempotency_key_reused',
    'other photos',
  );
  isProblem(t, await upload('/v1/datasets?name=other'), 422, 'idempotency_key_reused', 'another name');
  t.same(await storage.list('tenants/default/datasets'), [first.id], 'and nothing of these is left');
  await json(`/v1/datasets/${first.id}`, { method: 'DELETE', status: 204 });
  const anew = await upload();
  t.equal(anew.status, 201);
  t.not(JSON.parse(anew.text).id, first.id, 'after the data set is deleted the key is free');
});

t.test('the content of an example is handed out, whole and in parts, until the data set is deleted', async (t) => {
  const { send, json } = await appForTest(t);
  const { id, classes } = await json<Dataset>('/v1/datasets', { method: 'POST', body: archive, status: 201 });
  const { names, digests } = classes[1]!;
  const bytes = files.find(({ name }) => name === names![0])!.bytes;
  t.equal(digests![0], createHash('sha256').update(bytes).digest('hex'));
  const path = `/v1/datasets/${id}/examples/${digests![0]}`;
  const whole = await send(path);
  t.equal(whole.status, 200);
  t.same(whole.body, bytes);
  t.equal(whole.headers['content-type'], 'application/x-light');
  t.equal(whole.headers['cache-control'], 'private, max-age=86400');
  t.match(whole.headers['content-security-policy'], /sandbox/);
  t.equal((await send(path, { headers: { 'if-none-match': whole.headers.etag! } })).status, 304);
  const part = await send(path, { headers: { range: 'bytes=2-4' } });
  t.equal(part.status, 206);
  t.same(part.body, bytes.subarray(2, 5));
  isProblem(t, await send(`/v1/datasets/${id}/examples/${'0'.repeat(64)}`), 404, 'example_not_found');
  isProblem(t, await send(`/v1/datasets/${id}/examples/..%2fpack`), 400, 'invalid_request');
  t.equal((await send(`/v1/datasets/${id}`, { method: 'DELETE' })).status, 204);
  isProblem(t, await send(path), 404, 'dataset_not_found');
});

t.test('a data set is drawn; with one key once', async (t) => {
  const { send, json } = await appForTest(t);
  const drawn = () => send('/v1/datasets/drawn', { method: 'POST', headers: { 'idempotency-key': 'k' } });
  const answer = await drawn();
  t.equal(answer.status, 201, answer.text);
  const dataset = JSON.parse(answer.text) as Dataset;
  t.match(dataset, { name: 'drawn photos', examples: 10, class_count: 2 });
  t.equal(answer.headers.location, `/v1/datasets/${dataset.id}`);
  t.match(JSON.parse((await drawn()).text), { id: dataset.id });
  t.equal((await json<{ data: unknown[] }>('/v1/datasets')).data.length, 1);
});
