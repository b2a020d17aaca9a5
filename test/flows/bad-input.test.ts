/** Wrong requests: a clear problem, nothing stored, nothing left, and the service goes on. */
import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { Job } from '../../src/schemas/jobs.js';
import { zip } from '../helpers/archives.js';
import { type Answer, filesBelow, form, isProblem, send, until } from '../helpers/http.js';
import { photo, photos, submit, upload } from '../helpers/photos.js';
import { serviceForTest } from '../helpers/service.js';

const service = await serviceForTest(t, {
  env: {
    MAX_UPLOAD_BYTES: '200000',
    MAX_EXAMPLE_BYTES: '40000',
    MAX_PREDICT_BYTES: '60000',
    MAX_PREDICT_EXAMPLES: '4',
    MAX_IMAGE_PIXELS: '1000000',
    MAX_ARCHIVE_ENTRIES: '50',
    REQUEST_TIMEOUT_SECONDS: '3',
    LOG_LEVEL: 'error',
  },
});
const { url, json, dataDir } = service;
const archive = zip(await photos(['a', 'b'], 5));
const image = await photo(0, 3);
const ZEROS = '0'.repeat(26);
const dataset = await upload(service, await photos(['a', 'b'], 4));
const trained = await service.ended((await submit(service, { dataset: dataset.id, model: 'm', head: 'linear' })).id);
if (trained.status !== 'succeeded') throw new Error('no model');

const post = (path: string, body: Buffer | string, headers: Record<string, string> = {}) =>
  send(url, path, { method: 'POST', body, headers });
const JSON_TYPE = { 'content-type': 'application/json' };

async function nothingLeft(t: Test): Promise<void> {
  const left = () => filesBelow(join(dataDir, '.tmp'));
  await until(async () => (await left()).length === 0, { timeoutMs: 4000 }).catch(() => undefined);
  t.same(await left(), [], 'no temporary file is left');
  t.same(await readdir(join(dataDir, 'tenants', 'default', 'datasets')), [dataset.id], 'no data set is left');
  t.equal((await json<{ data: Job[] }>('/v1/jobs')).data.length, 1, 'no job was made');
  t.equal((await post('/v1/models/m/predict', image)).status, 200, 'the service goes on');
}

await t.test('ids and names that are not there are answered 404 with the code of what is missing', async (t) => {
  const missing: [string, string, string, string?][] = [
    ['GET', `/v1/datasets/ds_${ZEROS}`, 'dataset_not_found'],
    ['DELETE', `/v1/datasets/ds_${ZEROS}`, 'dataset_not_found'],
    ['GET', `/v1/jobs/job_${ZEROS}`, 'job_not_found'],
    ['POST', `/v1/jobs/job_${ZEROS}/cancel`, 'job_not_found'],
    ['GET', `/v1/jobs/job_${ZEROS}/events`, 'job_not_found'],
    ['POST', '/v1/jobs', 'dataset_not_found', JSON.stringify({ dataset: `ds_${ZEROS}`, model: 'x' })],
    ['GET', '/v1/models/none', 'model_not_found'],
    ['DELETE', '/v1/models/none', 'model_not_found'],
    ['GET', '/v1/models/none/versions', 'model_not_found'],
    ['GET', '/v1/models/none/versions/1', 'model_not_found'],
    ['DELETE', '/v1/models/none/versions/1', 'model_not_found'],
    ['GET', '/v1/models/m/versions/2', 'version_not_found'],
    ['DELETE', '/v1/models/m/versions/1000000000', 'version_not_found'],
    ['GET', '/v1/models/m/versions/2/report', 'version_not_found'],
    ['GET', '/v1/models/m/versions/2/report/curves.svg', 'version_not_found'],
    ['GET', '/v1/models/m/versions/2/artifact', 'version_not_found'],
    ['GET', '/v1/models/m/versions/1/files/none', 'not_found'],
    ['PUT', '/v1/models/none/aliases/a', 'model_not_found', '{"version":1}'],
    ['PUT', '/v1/models/m/aliases/a', 'version_not_found', '{"version":2}'],
    ['DELETE', '/v1/models/m/aliases/a', 'alias_not_found'],
    ['POST', '/v1/models/none/predict', 'model_not_found', '{}'],
    ['POST', '/v1/models/m/versions/2/predict', 'version_not_found', '{}'],
    ['POST', '/v1/models/m/aliases/a/predict', 'alias_not_found', '{}'],
    ['POST', '/v1/models/none/aliases/a/predict', 'model_not_found', '{}'],
    ['GET', '/', 'not_found'],
    ['GET', '/v1', 'not_found'],
    ['POST', '/v1/nothing', 'not_found', '{}'],
    ['GET', '/v1/datasets/', 'not_found'],
  ];
  for (const [method, path, code, body] of missing) {
    const answer = await send(url, path, { method, body, headers: body ? JSON_TYPE : {} });
    if (path === '/v1/datasets/') isProblem(t, answer, undefined, undefined, path);
    else isProblem(t, answer, 404, code, `${method} ${path}`);
  }
});

await t.test('parameters of the path and the query have types and bounds', async (t) => {
  const paths = [
    '/v1/datasets/1',
    '/v1/datasets/DS_1',
    '/v1/datasets/..%2f..%2fetc',
    '/v1/jobs/1',
    '/v1/jobs/job_%00',
    '/v1/models/UPPER',
    '/v1/models/..%2F..',
    '/v1/models/%2e%2e%2f',
    `/v1/models/${'x'.repeat(65)}`,
    '/v1/models/m%00',
    '/v1/models/m/versions/0',
    '/v1/models/m/versions/-1',
    '/v1/models/m/versions/1.5',
    '/v1/models/m/versions/one',
    '/v1/models/m/versions/1000000001',
    '/v1/models/m/versions/1/artifact?format=exe',
    '/v1/models/m/versions/1/artifact?form=onnx',
    '/v1/datasets?limit=0',
    '/v1/datasets?limit=1001',
    '/v1/datasets?limit=ten',
    '/v1/datasets?limit=1.5',
    '/v1/datasets?unknown=1',
    `/v1/jobs?after=${'x'.repeat(201)}`,
    '/v1/models?limit=-5',
    '/v1/models/m/versions?after=x',
    `/v1/jobs/${trained.id}/events?after=-1`,
    `/v1/jobs/${trained.id}/events?after=x`,
  ];
  for (const path of paths) isProblem(t, await send(url, path), 400, 'invalid_request', path);
  isProblem(t, await send(url, `/v1/models/${'x'.repeat(5000)}`), undefined, undefined, 'a very long name');
  isProblem(t, await send(url, '/v1/models/%E0%A4%A'), 400, 'invalid_request', 'a broken escape');
  for (const query of ['top_k=0', 'top_k=10001', 'top_k=x', 'top_k=1.5', 'k=1']) {
    isProblem(t, await post(`/v1/models/m/predict?${query}`, image), 400, 'invalid_request', query);
  }
  for (const alias of ['UPPER', '1st', '..%2f', 'x'.repeat(65)]) {
    const answer = await send(url, `/v1/models/m/aliases/${alias}`, {
      method: 'PUT',
      body: '{"version":1}',
      headers: JSON_TYPE,
    });
    isProblem(t, answer, 400, 'invalid_request', alias);
  }
});

await t.test('bodies of JSON routes have types and bounds', async (t) => {
  const put = (body: string, headers = JSON_TYPE) =>
    send(url, '/v1/models/m/aliases/a', { method: 'PUT', body, headers });
  for (const body of [
    '{}',
    '{"version":"1"}',
    '{"version":0}',
    '{"version":1.5}',
    '{"version":1,"x":1}',
    '[]',
    'null',
    '5',
    '{"version":1,"expected":"1"}',
  ]) {
    isProblem(t, await put(body), 400, 'invalid_request', body);
  }
  isProblem(t, await put(''), 400, 'invalid_json', 'empty');
  isProblem(t, await put('{"version":'), 400, 'invalid_json', 'cut');
  isProblem(t, await put('version=1', { 'content-type': 'text/html' }), 415, 'unsupported_media_type', 'HTML');
  isProblem(t, await put(`{"version":1,"x":"${'x'.repeat(2_000_000)}"}`), 413, 'too_large', 'large');
  for (const body of [
    '{}',
    '{"images":[]}',
    '{"images":"x"}',
    '{"images":[1]}',
    '{"images":["%%%"]}',
    '{"images":["QUJD"],"x":1}',
    '[]',
    'null',
  ]) {
    const answer = await post('/v1/models/m/predict', body, JSON_TYPE);
    isProblem(t, answer, 400, 'invalid_request', body);
  }
  isProblem(t, await post('/v1/models/m/predict', '{"images":["QUJD"]}', JSON_TYPE), 415, 'content_unsupported', 'ABC');
  isProblem(t, await post('/v1/models/m/predict', '{"images":[""]}', JSON_TYPE), 422, 'content_invalid', 'no bytes');
  isProblem(t, await post('/v1/jobs', '', JSON_TYPE), 400, 'invalid_json', 'empty');
  isProblem(t, await post('/v1/jobs', 'x', { 'content-type': 'text/plain' }), 415, 'unsupported_media_type', 'text');
  isProblem(t, await post('/v1/jobs', 'x'), 415, 'unsupported_media_type', 'no type');
  isProblem(t, await post('/v1/jobs', `"${'x'.repeat(2_000_000)}"`, JSON_TYPE), 413, 'too_large', 'large');
  await nothingLeft(t);
});

await t.test('what is too large is answered 413', async (t) => {
  isProblem(t, await post('/v1/datasets', Buffer.alloc(200_001)), 413, undefined, 'raw archive');
  const large = form([{ name: 'file', value: Buffer.alloc(200_001), filename: 'a.zip' }]);
  isProblem(t, await send(url, '/v1/datasets', { method: 'POST', ...large }), 413, undefined, 'archive in a form');
  const huge = await send(url, '/v1/datasets', { method: 'POST', body: Buffer.alloc(30_000_000) });
  t.ok(huge.status === 413 || huge.status === 0, `30 MB is cut off: ${huge.status}`);
  const many = zip(Array.from({ length: 51 }, (_, i) => ({ name: `a/${i}.jpg`, bytes: 'x' })));
  isProblem(t, await post('/v1/datasets', many), 413, 'archive_too_large', '51 entries');
  isProblem(t, await post('/v1/models/m/predict', Buffer.alloc(60_001)), 413, 'too_large', 'body');
  const images = (count: number, value: Buffer) =>
    form(Array.from({ length: count }, (_, i) => ({ name: 'file', value, filename: `${i}.jpg` })));
  const predict = (made: ReturnType<typeof form>) => send(url, '/v1/models/m/predict', { method: 'POST', ...made });
  t.equal((await predict(images(4, image))).status, 200);
  isProblem(t, await predict(images(5, image)), undefined, undefined, 'five images');
  isProblem(
    t,
    await predict(images(1, Buffer.concat([image, Buffer.alloc(40_000)]))),
    413,
    'content_too_large',
    'image',
  );
  isProblem(t, await predict(images(2, Buffer.alloc(35_000))), 413, 'too_large', 'sum');
  const wide = await (await import('sharp'))
    .default({ create: { width: 1001, height: 1000, channels: 3, background: '#123' } })
    .png()
    .toBuffer();
  isProblem(t, await post('/v1/models/m/predict', wide), 413, 'content_too_large', 'pixels');
  const five = JSON.stringify({ images: Array.from({ length: 5 }, () => image.toString('base64')) });
  isProblem(t, await post('/v1/models/m/predict', five, JSON_TYPE), 413, 'too_large', 'five images of JSON');
  await nothingLeft(t);
});

await t.test('forms that are not right are refused', async (t) => {
  const routes = ['/v1/datasets', '/v1/jobs', '/v1/models/m/predict'];
  const file = { name: 'file', value: archive, filename: 'a.zip' };
  for (const route of routes) {
    const bare = await post(route, form([file]).body, { 'content-type': 'multipart/form-data' });
    isProblem(t, bare, 400, 'invalid_multipart', `${route}: no boundary`);
    const other = await post(route, form([file]).body, { 'content-type': 'multipart/form-data; boundary=other' });
    isProblem(t, other, 400, undefined, `${route}: another boundary`);
    const cut = form([file]).body.subarray(0, 5000);
    isProblem(t, await post(route, cut, form([]).headers), 400, 'invalid_multipart', `${route}: cut`);
    const empty = await send(url, route, { method: 'POST', ...form([]) });
    isProblem(t, empty, 400, undefined, `${route}: no part`);
    const long = form([{ name: 'description', value: 'x'.repeat(300_000) }, file]);
    isProblem(t, await send(url, route, { method: 'POST', ...long }), 400, 'invalid_multipart', `${route}: long field`);
    const proto = form([{ name: '__proto__', value: 'x' }, file]);
    isProblem(t, await send(url, route, { method: 'POST', ...proto }), undefined, undefined, `${route}: __proto__`);
    const fields = form([...Array.from({ length: 60 }, (_, i) => ({ name: `f${i}`, value: 'x' })), file]);
    isProblem(
      t,
      await send(url, route, { method: 'POST', ...fields }),
      400,
      'invalid_multipart',
      `${route}: 60 fields`,
    );
  }
  const two = form([file, file]);
  for (const route of ['/v1/datasets', '/v1/jobs']) {
    isProblem(t, await send(url, route, { method: 'POST', ...two }), 400, 'invalid_multipart', `${route}: two files`);
    const none = form([{ name: 'model', value: 'm' }]);
    isProblem(t, await send(url, route, { method: 'POST', ...none }), 400, 'missing_file', `${route}: no file`);
  }
  const job = (...fields: { name: string; value: string }[]) =>
    send(url, '/v1/jobs', { method: 'POST', ...form([...fields, file]) });
  isProblem(t, await job(), 400, 'invalid_request', 'no model');
  isProblem(
    t,
    await job({ name: 'model', value: 'x' }, { name: 'seed', value: 'one' }),
    400,
    'invalid_request',
    'seed',
  );
  isProblem(
    t,
    await job({ name: 'model', value: 'x' }, { name: 'hyperparameters', value: '{' }),
    400,
    'invalid_request',
    'hyperparameters',
  );
  isProblem(
    t,
    await job({ name: 'model', value: 'x' }, { name: 'zzz', value: '1' }),
    400,
    'invalid_request',
    'unknown',
  );
  isProblem(
    t,
    await job({ name: 'model', value: 'x' }, { name: 'model', value: 'y' }),
    400,
    'invalid_multipart',
    'twice',
  );
  await nothingLeft(t);
});

await t.test('an upload with another digest than announced is refused, and one with its own is taken', async (t) => {
  const digest = (bytes: Buffer) => `sha-256=:${createHash('sha256').update(bytes).digest('base64')}:`;
  const wrong = digest(Buffer.from('other'));
  isProblem(t, await post('/v1/datasets', archive, { 'repr-digest': wrong }), 422, 'digest_mismatch', 'wrong');
  const made = form([{ name: 'file', value: archive, filename: 'a.zip' }]);
  const inForm = await post('/v1/datasets', made.body, { ...made.headers, 'repr-digest': wrong });
  isProblem(t, inForm, 422, 'digest_mismatch', 'wrong, in a form');
  for (const bad of ['sha-256=:AAAA:', 'md5=:AAAA:', 'nonsense', 'sha-256=']) {
    isProblem(t, await post('/v1/datasets', archive, { 'repr-digest': bad }), 400, 'invalid_request', bad);
  }
  await nothingLeft(t);
  const right = await post('/v1/datasets', archive, { 'repr-digest': digest(archive) });
  t.equal(right.status, 201, right.text.slice(0, 200));
  await json(`/v1/datasets/${JSON.parse(right.text).id}`, { method: 'DELETE', status: 204 });
});

await t.test('an upload that is broken off leaves nothing', async (t) => {
  const made = form([
    { name: 'model', value: 'cut' },
    { name: 'file', value: archive, filename: 'a.zip' },
  ]);
  const requests: [string, Buffer, Record<string, string>][] = [
    ['/v1/datasets', archive, {}],
    ['/v1/datasets', made.body, made.headers],
    ['/v1/jobs', made.body, made.headers],
    ['/v1/models/m/predict', image, {}],
    ['/v1/models/m/predict', made.body, made.headers],
  ];
  for (const [path, body, headers] of requests) {
    for (const share of [0.1, 0.5, 0.9]) {
      const answer: Answer = await send(url, path, {
        method: 'POST',
        body,
        headers,
        cutAt: Math.floor(body.length * share),
      });
      t.ok(answer.status === 0 || answer.status >= 400, `${path} cut at ${share * 100} %: ${answer.status}`);
    }
  }
  await nothingLeft(t);
});

await t.test('an upload that hardly moves is ended with 408 and leaves nothing', async (t) => {
  const target = new URL(url);
  const ended = await Promise.all(
    ['/v1/datasets', '/v1/models/m/predict'].map(
      (path) =>
        new Promise<string>((resolve, reject) => {
          const socket = connect(Number(target.port), target.hostname);
          let text = '';
          const timer = setTimeout(() => {
            socket.destroy();
            reject(new Error(`${path}: still open after 20 s`));
          }, 20_000);
          socket.write(`POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-length: ${archive.length}\r\n\r\n`);
          const drip = setInterval(() => socket.write(archive.subarray(0, 1)), 200);
          socket.on('data', (bytes) => {
            text += bytes;
          });
          socket.on('error', () => undefined);
          socket.on('close', () => {
            clearInterval(drip);
            clearTimeout(timer);
            resolve(text);
          });
        }),
    ),
  );
  for (const text of ended) t.match(text, /^HTTP\/1\.1 408|^$/, text.slice(0, 100));
  await nothingLeft(t);
});

await t.test('a method that a route does not have, and a raw request that is no HTTP, are refused', async (t) => {
  for (const [method, path] of [
    ['PUT', '/v1/datasets'],
    ['PATCH', '/v1/jobs'],
    ['DELETE', '/v1/jobs'],
    ['GET', '/v1/models/m/predict'],
    ['POST', '/v1/models/m'],
    ['POST', '/livez'],
    ['GET', `/v1/jobs/${trained.id}/cancel`],
  ] as const) {
    const answer = await send(url, path, { method });
    isProblem(t, answer, 405, 'method_not_allowed', `${method} ${path}`);
    t.ok(answer.headers.allow, 'Allow says which there are');
  }
  const target = new URL(url);
  const text = await new Promise<string>((resolve) => {
    const socket = connect(Number(target.port), target.hostname, () => socket.write('NONSENSE\r\n\r\n'));
    let got = '';
    socket.on('data', (bytes) => {
      got += bytes;
    });
    socket.on('close', () => resolve(got));
    socket.on('error', () => resolve(got));
  });
  t.match(text, /^HTTP\/1\.1 400/);
  await nothingLeft(t);
});
