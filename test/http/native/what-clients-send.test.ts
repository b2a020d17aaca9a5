/** What real clients send: the same thing in many ways, and mistakes that deserve a sentence of their own. */
import { gzipSync } from 'node:zlib';
import t, { type Test } from 'tap';
import type { Dataset } from '../../../src/schemas/datasets.js';
import type { Prediction } from '../../../src/schemas/predictions.js';
import { appForTest, type SendOptions } from '../../helpers/app.js';
import { zip } from '../../helpers/archives.js';
import { form, isProblem } from '../../helpers/http.js';
import { content, lightFiles } from '../../helpers/light-content.js';

const PREDICT = '/v1/models/m/predict';
const JSON_TYPE = { 'content-type': 'application/json' };
const ARCHIVE = zip(lightFiles(['a', 'b'], 3));

async function withModel(t: Test) {
  const app = await appForTest(t);
  await app.publish({ labels: ['a', 'b', 'c'] });
  const ask = (body: Buffer | string, headers: Record<string, string> = {}, path = PREDICT) =>
    app.send(path, { method: 'POST', body, headers });
  return { ...app, ask };
}

const top = (text: string) => (JSON.parse(text) as Prediction).results.map(({ predictions }) => predictions[0]?.label);

/** A form by hand: each part with exactly these headers. */
function rawForm(parts: { headers: string[]; value: Buffer | string }[]) {
  const chunks = parts.flatMap(({ headers, value }) => [
    Buffer.from(`--edge\r\n${headers.join('\r\n')}\r\n\r\n`),
    Buffer.from(value),
    Buffer.from('\r\n'),
  ]);
  return {
    body: Buffer.concat([...chunks, Buffer.from('--edge--\r\n')]),
    headers: { 'content-type': 'multipart/form-data; boundary=edge' },
  };
}

t.test('a DELETE with a JSON type and no body', async (t) => {
  const { send, json } = await withModel(t);
  const { id } = await json<Dataset>('/v1/datasets', { method: 'POST', body: ARCHIVE, status: 201 });
  for (const path of [`/v1/datasets/${id}`, '/v1/models/m']) {
    t.equal((await send(path, { method: 'DELETE', headers: JSON_TYPE })).status, 204, path);
  }
});

t.test('parts of a form without a file name', async (t) => {
  const { ask, send } = await withModel(t);
  for (const name of ['file', 'image', 'images[]', 'images[1]', 'photo']) {
    const made = rawForm([{ headers: [`Content-Disposition: form-data; name="${name}"`], value: content(1) }]);
    const { status, text } = await ask(made.body, made.headers);
    t.same([status, status === 200 && top(text)], [200, ['b']], `${name}: ${text}`);
  }
  const typed = rawForm([
    { headers: ['Content-Disposition: form-data; name="x"', 'Content-Type: image/jpeg'], value: content(2) },
  ]);
  t.same(top((await ask(typed.body, typed.headers)).text), ['c'], 'known by its type');
  const archive = rawForm([{ headers: ['Content-Disposition: form-data; name="file"'], value: ARCHIVE }]);
  t.equal((await send('/v1/datasets', { method: 'POST', ...archive })).status, 201, 'an archive, too');
});

t.test('options stand in the query, in the form or in the JSON', async (t) => {
  const { ask } = await withModel(t);
  const base64 = content(1).toString('base64');
  const made = form([
    { name: 'top_k', value: '2' },
    { name: 'explain', value: 'true' },
    { name: 'file', value: content(1), filename: 'x' },
  ]);
  const answers = {
    query: await ask(content(1), {}, `${PREDICT}?top_k=2&explain=true`),
    form: await ask(made.body, made.headers),
    json: await ask(JSON.stringify({ images: [base64], top_k: 2, explain: true }), JSON_TYPE),
  };
  for (const [what, { status, text }] of Object.entries(answers)) {
    t.equal(status, 200, `${what}: ${text}`);
    const [result] = (JSON.parse(text) as Prediction).results;
    t.same([result!.predictions.length, result!.explanation?.label], [2, 'b'], what);
  }
  const faults: [string, Awaited<ReturnType<typeof ask>>, string, RegExp][] = [];
  const bad = async (fields: [string, string][]) => {
    const sent = form([...fields.map(([name, value]) => ({ name, value })), { name: 'f', value: 'x', filename: 'f' }]);
    return ask(sent.body, sent.headers);
  };
  faults.push(['a wrong value', await bad([['top_k', 'many']]), 'invalid_request', /top_k must be integer/]);
  faults.push(['a wrong name', await bad([['topk', '3']]), 'invalid_multipart', /'topk', which is not known.*top_k/]);
  faults.push(['a class alone', await bad([['class', 'a']]), 'invalid_request', /add explain=true/]);
  for (const [what, answer, code, says] of faults) t.match(isProblem(t, answer, 400, code, what).detail, says);
});

t.test('base64 and data URLs, a byte order mark, gzip', async (t) => {
  const { ask, send, put } = await withModel(t);
  const base64 = content(1).toString('base64');
  for (const prefix of [
    'data:image/jpeg;base64,',
    'data:;base64,',
    'data:application/octet-stream;base64,',
    'data:image/svg+xml;charset=utf-8;base64,',
  ]) {
    const asJson = await ask(JSON.stringify({ images: [prefix + base64] }), JSON_TYPE);
    t.same(top(asJson.text), ['b'], `in JSON: ${prefix}`);
    t.same(top((await ask(prefix + base64)).text), ['b'], `as the body: ${prefix}`);
    const made = form([{ name: 'image', value: prefix + base64 }]);
    t.same(top((await ask(made.body, made.headers)).text), ['b'], `as a field: ${prefix}`);
  }
  const marked = await ask(`\uFEFF${JSON.stringify({ images: [base64] })}`, JSON_TYPE);
  t.same(top(marked.text), ['b'], 'a byte order mark');
  const aliased = await put('/v1/models/m/aliases/a', undefined, { body: '\uFEFF{"version":1}' });
  t.equal(aliased.status, 200, aliased.text);
  const packed = { 'content-encoding': 'gzip' };
  t.same(top((await ask(gzipSync(content(1)), packed)).text), ['b'], 'gzip');
  t.same(top((await ask(gzipSync(JSON.stringify({ images: [base64] })), { ...JSON_TYPE, ...packed })).text), ['b']);
  t.equal((await send('/v1/datasets', { method: 'POST', body: gzipSync(ARCHIVE), headers: packed })).status, 201);
  t.match(isProblem(t, await ask('no gzip', packed), 400, 'invalid_request').detail, /not gzip/);
  t.match(
    isProblem(t, await ask(gzipSync(content(1)).subarray(0, 12), packed), 400, 'invalid_request').detail,
    /ends before/,
  );
  const brotli = await ask(content(1), { 'content-encoding': 'br' });
  t.match(isProblem(t, brotli, 415, 'unsupported_media_type').detail, /br is not understood.*gzip/);
  const made = form([{ name: 'file', value: content(1), filename: 'x' }]);
  const whole = await ask(gzipSync(made.body), { ...made.headers, ...packed });
  t.match(isProblem(t, whole, 415, 'unsupported_media_type').detail, /This form came with Content-Encoding/);
});

t.test('gzip that grows beyond the limit is refused', async (t) => {
  const { send, publish } = await appForTest(t, { env: { MAX_PREDICT_BYTES: '100000', MAX_UPLOAD_BYTES: '100000' } });
  await publish();
  const bomb = {
    method: 'POST',
    body: gzipSync(Buffer.alloc(50_000_000)),
    headers: { 'content-encoding': 'gzip' },
  } as const;
  isProblem(t, await send(PREDICT, bomb), 413, 'too_large');
  isProblem(t, await send('/v1/datasets', bomb), 413, 'archive_too_large');
});

t.test('a mistake is called by its name', async (t) => {
  const { ask, send, post } = await withModel(t);
  const made = form([{ name: 'file', value: content(1), filename: 'x' }]);
  const sent = (path: string, rest: SendOptions) => send(path, { method: 'POST', ...rest });
  const cases: [string, Awaited<ReturnType<typeof send>>, number, string, RegExp][] = [
    [
      'a form that says it is JSON',
      await ask(made.body, JSON_TYPE),
      400,
      'invalid_multipart',
      /This body is a form.*Leave Content-Type out/,
    ],
    ['a form that says nothing', await ask(made.body), 400, 'invalid_multipart', /This body is a form/],
    [
      'a form without its boundary',
      await ask(made.body, { 'content-type': 'multipart/form-data' }),
      400,
      'invalid_multipart',
      /no boundary/,
    ],
    ['nothing at all', await ask(''), 400, 'missing_file', /The body is empty/],
    [
      'settings by curl -d',
      await sent('/v1/jobs', { body: '{}', headers: { 'content-type': 'application/x-www-form-urlencoded' } }),
      415,
      'unsupported_media_type',
      /add -H "Content-Type: application\/json"/,
    ],
    [
      'an archive alone',
      await sent('/v1/jobs', { body: ARCHIVE, headers: { 'content-type': 'application/zip' } }),
      415,
      'unsupported_media_type',
      /fields `file` and `model`/,
    ],
    ['no JSON', await sent('/v1/jobs', { body: 'model=x', headers: JSON_TYPE }), 400, 'invalid_json', /not valid JSON/],
    ['not base64', await post(PREDICT, { images: ['@photo.jpg'] }), 400, 'invalid_request', /images\.0 is not base64/],
  ];
  for (const [what, answer, status, code, says] of cases)
    t.match(isProblem(t, answer, status, code, what).detail, says);
});

t.test('where one of many cannot be read, partial answers the others', async (t) => {
  const { ask } = await withModel(t);
  const made = form([
    { name: 'a', value: content(0), filename: 'good' },
    { name: 'b', value: 'nonsense', filename: 'broken' },
    { name: 'c', value: content(2), filename: 'good, too' },
  ]);
  const all = await ask(made.body, made.headers);
  t.equal(all.status >= 400, true, 'else the request is refused');
  const some = await ask(made.body, made.headers, `${PREDICT}?partial=true`);
  t.equal(some.status, 200, some.text);
  t.match(JSON.parse(some.text).results, [
    { name: 'good', predictions: [{ label: 'a' }] },
    { name: 'broken', predictions: [], error: { code: /^content_/, detail: /.+/ } },
    { name: 'good, too', predictions: [{ label: 'c' }] },
  ]);
});

t.test('form and JSON have the same limits, and say so with the same codes', async (t) => {
  const { send, publish } = await appForTest(t, { env: { MAX_EXAMPLE_BYTES: '1000', MAX_PREDICT_EXAMPLES: '2' } });
  await publish();
  const many = (count: number, value: Buffer) => ({
    form: form(Array.from({ length: count }, (_, i) => ({ name: 'f', value, filename: `${i}` }))),
    json: {
      body: JSON.stringify({ images: Array.from({ length: count }, () => value.toString('base64')) }),
      headers: JSON_TYPE,
    },
  });
  for (const [what, sent] of Object.entries(many(1, Buffer.alloc(2000, 255)))) {
    isProblem(t, await send(PREDICT, { method: 'POST', ...sent }), 413, 'content_too_large', `large as ${what}`);
  }
  const large = await send(PREDICT, { method: 'POST', body: Buffer.alloc(2000, 255) });
  isProblem(t, large, 413, 'content_too_large', 'large as the body');
});

t.test('events: who saw the end is answered 204, and HEAD at once', async (t) => {
  const { json, post, end, send } = await appForTest(t);
  const { id: dataset } = await json<Dataset>('/v1/datasets', { method: 'POST', body: ARCHIVE, status: 201 });
  const { id, links } = JSON.parse((await post('/v1/jobs', { dataset, model: 'm' })).text);
  const stream = { accept: 'text/event-stream' };
  const head = await send(links.events, { method: 'HEAD', headers: stream });
  t.same([head.status, head.headers['content-type'], head.text], [200, 'text/event-stream', '']);
  await end({ id });
  const whole = await send(links.events, { headers: stream });
  const last = [...whole.text.matchAll(/^id: (\d+)$/gm)].at(-1)![1]!;
  t.match(whole.text, /event: succeeded/);
  const again = await send(links.events, { headers: { ...stream, 'last-event-id': last } });
  t.same([again.status, again.text], [204, ''], 'an EventSource then stops');
  const before = await send(links.events, { headers: { ...stream, 'last-event-id': `${Number(last) - 1}` } });
  t.match(before.text, /event: succeeded/, 'one that missed the end hears it');
});

t.test('what is not there in this range, and problems, are kept by no cache', async (t) => {
  const { send } = await withModel(t);
  const path = '/v1/models/m/versions/1/artifact';
  const whole = await send(path);
  t.match(whole.headers['cache-control'], /immutable/);
  const outside = await send(path, { headers: { range: 'bytes=999999999-' } });
  isProblem(t, outside, 416, 'range_not_satisfiable');
  t.same([outside.headers['cache-control'], outside.headers.etag], ['no-store', undefined]);
  const moving = await send('/v1/models/m/aliases/latest/artifact');
  t.same([moving.status, moving.headers['cache-control']], [200, 'private, no-cache']);
  t.same(moving.body, whole.body, 'the same bytes by an alias');
});

t.test('a data set has the name that it is given, and lists show what is asked for', async (t) => {
  const { json, post, end, send } = await appForTest(t);
  const upload = (path: string, rest: SendOptions) => json<Dataset>(path, { method: 'POST', status: 201, ...rest });
  const named = form([
    { name: 'file', value: ARCHIVE, filename: 'x.zip' },
    { name: 'name', value: 'summer' },
  ]);
  const [one, two] = [await upload('/v1/datasets', named), await upload('/v1/datasets?name=winter', { body: ARCHIVE })];
  t.same([one.name, two.name], ['summer', 'winter']);
  const submit = async (dataset: string, model: string) =>
    JSON.parse((await post('/v1/jobs', { dataset, model })).text).id as string;
  const ids = [await submit(one.id, 'm1'), await submit(one.id, 'm2'), await submit(two.id, 'm1')];
  await end({ id: ids[0]! });
  const list = async (query: string) =>
    (await json<{ data: { id: string }[]; has_more: boolean }>(`/v1/jobs?${query}`)).data.map(({ id }) =>
      ids.indexOf(id),
    );
  t.same(await list('status=succeeded'), [0]);
  t.same(await list('status=queued'), [2, 1]);
  t.same(await list('model=m1'), [2, 0]);
  t.same(await list(`dataset=${one.id}`), [1, 0]);
  t.same(await list(`dataset=${one.id}&model=m1`), [0]);
  t.same(await list('kind=other'), []);
  t.match(await json('/v1/jobs?model=m1&limit=1'), { has_more: true, data: [{ id: ids[2] }] });
  t.match(await json(`/v1/jobs?model=m1&limit=1&after=${ids[2]}`), { has_more: false, data: [{ id: ids[0] }] });
  isProblem(t, await send('/v1/jobs?status=done'), 400, 'invalid_request');
});

t.test('True and False, as Python writes them, are taken in queries and forms', async (t) => {
  const { send, publish } = await appForTest(t);
  await publish({ model: 'm' });
  const explained = async (path: string, rest: SendOptions) => {
    const answer = await send(path, { method: 'POST', ...rest });
    t.equal(answer.status, 200, answer.text);
    return 'explanation' in JSON.parse(answer.text).results[0];
  };
  t.equal(await explained('/v1/models/m/predict?explain=True', { body: content(0) }), true);
  t.equal(await explained('/v1/models/m/predict?explain=FALSE', { body: content(0) }), false);
  const picture = { name: 'file', value: content(0), filename: 'x.txt' };
  t.equal(await explained('/v1/models/m/predict', form([picture, { name: 'explain', value: 'True' }])), true);
  const dry = await send('/v1/datasets?dry_run=True', { method: 'POST', body: ARCHIVE });
  t.equal(dry.status, 200, dry.text);
  isProblem(
    t,
    await send('/v1/models/m/predict?explain=yes', { method: 'POST', body: content(0) }),
    400,
    'invalid_request',
  );
});
