/** API keys: who may enter, and that tenants do not see each other. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import t from 'tap';
import { PACKAGE_ROOT } from '../../src/config.js';
import type { Dataset } from '../../src/schemas/datasets.js';
import type { Job } from '../../src/schemas/jobs.js';
import { zip } from '../helpers/archives.js';
import { isProblem, send, until } from '../helpers/http.js';
import { photo, photos } from '../helpers/photos.js';
import { serviceForTest } from '../helpers/service.js';

const [ALICE, BOB] = ['key-of-alice', 'key-of-bob'];
const sha = (key: string) => createHash('sha256').update(key).digest('hex');
const { url } = await serviceForTest(t, { env: { API_KEYS: `alice:${sha(ALICE)}, bob:${sha(BOB)}` } });
const as = (key: string, type?: string) => ({
  authorization: `Bearer ${key}`,
  ...(type && { 'content-type': type }),
});
const ZEROS = '0'.repeat(26);
const image = await photo(0, 9);
let dataset: Dataset;
let job: Job;

const ROUTES: [method: string, path: string, body?: Buffer | string, type?: string][] = [
  ['POST', '/v1/datasets', image],
  ['GET', '/v1/datasets'],
  ['GET', `/v1/datasets/ds_${ZEROS}`],
  ['DELETE', `/v1/datasets/ds_${ZEROS}`],
  ['POST', '/v1/jobs', '{}', 'application/json'],
  ['GET', '/v1/jobs'],
  ['GET', `/v1/jobs/job_${ZEROS}`],
  ['POST', `/v1/jobs/job_${ZEROS}/cancel`],
  ['GET', `/v1/jobs/job_${ZEROS}/events`],
  ['GET', '/v1/models'],
  ['GET', '/v1/models/m'],
  ['DELETE', '/v1/models/m'],
  ['GET', '/v1/models/m/versions'],
  ['GET', '/v1/models/m/versions/1'],
  ['DELETE', '/v1/models/m/versions/1'],
  ['GET', '/v1/models/m/versions/1/report'],
  ['GET', '/v1/models/m/versions/1/report/curves.svg'],
  ['GET', '/v1/models/m/versions/1/report/confusion.svg'],
  ['GET', '/v1/models/m/versions/1/files/labels.json'],
  ['GET', '/v1/models/m/versions/1/artifact'],
  ['HEAD', '/v1/models/m/versions/1/artifact'],
  ['PUT', '/v1/models/m/aliases/a', '{"version":1}', 'application/json'],
  ['DELETE', '/v1/models/m/aliases/a'],
  ['POST', '/v1/models/m/predict', image],
  ['POST', '/v1/models/m/versions/1/predict', image],
  ['POST', '/v1/models/m/aliases/a/predict', image],
  ['GET', '/v1/backbones'],
  ['GET', '/metrics'],
];

await t.test('every route but health and documentation needs one of the keys', async (t) => {
  for (const [method, path, body, type] of ROUTES) {
    for (const [what, headers] of Object.entries<Record<string, string>>({
      'without a key': {},
      'with a wrong key': { authorization: 'Bearer wrong' },
      'with the digest of a key': { authorization: `Bearer ${sha(ALICE)}` },
      'with another scheme': { authorization: `Basic ${ALICE}` },
      'with an empty key': { authorization: 'Bearer ' },
      'with a tenant': { authorization: 'Bearer alice' },
    })) {
      const answer = await send(url, path, {
        method,
        body,
        headers: { ...headers, ...(type && { 'content-type': type }) },
      });
      if (method === 'HEAD') t.equal(answer.status, 401, `${method} ${path} ${what}`);
      else isProblem(t, answer, 401, 'unauthorized', `${method} ${path} ${what}`);
      t.equal(answer.headers['www-authenticate'], 'Bearer');
    }
  }
  t.equal((await send(url, '/livez')).status, 200);
  t.equal((await send(url, '/readyz')).status, 200);
  t.equal((await send(url, '/v1/datasets', { headers: { authorization: `bearer  ${ALICE}` } })).status, 200);
});

await t.test('a key sees what its tenant owns', async (t) => {
  const uploaded = await send(url, '/v1/datasets', {
    method: 'POST',
    body: zip(await photos(['a', 'b'], 4)),
    headers: as(ALICE),
  });
  t.equal(uploaded.status, 201, uploaded.text);
  dataset = JSON.parse(uploaded.text);
  const submitted = await send(url, '/v1/jobs', {
    method: 'POST',
    body: JSON.stringify({ dataset: dataset.id, model: 'm', head: 'linear' }),
    headers: { ...as(ALICE, 'application/json'), 'idempotency-key': 'same' },
  });
  t.equal(submitted.status, 202, submitted.text);
  job = await until(
    async () => {
      const answer = await send(url, `/v1/jobs/${JSON.parse(submitted.text).id}`, { headers: as(ALICE) });
      const found = JSON.parse(answer.text) as Job;
      return !['queued', 'running'].includes(found.status) && found;
    },
    { timeoutMs: 60_000, everyMs: 100 },
  );
  t.equal(job.status, 'succeeded');
  const alias = await send(url, '/v1/models/m/aliases/a', {
    method: 'PUT',
    body: '{"version":1}',
    headers: as(ALICE, 'application/json'),
  });
  t.equal(alias.status, 200);
});

await t.test('another tenant finds none of it, by any route, and can change nothing', async (t) => {
  const codes: Record<string, string> = {
    datasets: 'dataset_not_found',
    jobs: 'job_not_found',
    models: 'model_not_found',
  };
  for (const [method, template, body, type] of ROUTES) {
    const path = template.replace(`ds_${ZEROS}`, dataset.id).replace(`job_${ZEROS}`, job.id);
    if (!/^\/v1\/(datasets|jobs|models)\/./.test(path)) continue;
    const answer = await send(url, path, { method, body, headers: as(BOB, type) });
    const code = codes[path.split('/')[2]!];
    if (method === 'HEAD') t.equal(answer.status, 404, path);
    else isProblem(t, answer, 404, code, `${method} ${path}`);
  }
  for (const list of ['/v1/datasets', '/v1/jobs', '/v1/models']) {
    t.same(JSON.parse((await send(url, list, { headers: as(BOB) })).text), { data: [], has_more: false }, list);
  }
  const stolen = await send(url, '/v1/jobs', {
    method: 'POST',
    body: JSON.stringify({ dataset: dataset.id, model: 'm' }),
    headers: as(BOB, 'application/json'),
  });
  isProblem(t, stolen, 404, 'dataset_not_found', "a job on the other tenant's data set");
  const stream = await send(url, `/v1/jobs/${job.id}/events`, { headers: { ...as(BOB), accept: 'text/event-stream' } });
  isProblem(t, stream, 404, 'job_not_found', 'events as a stream');
  const model = await send(url, '/v1/models/m', { headers: as(ALICE) });
  t.match(JSON.parse(model.text), { versions: [1], aliases: [{ alias: 'a', version: 1 }] });
  t.equal((await send(url, `/v1/datasets/${dataset.id}`, { headers: as(ALICE) })).status, 200);
});

await t.test('the same names and the same Idempotency-Key of two tenants are two things', async (t) => {
  const uploaded = await send(url, '/v1/datasets', {
    method: 'POST',
    body: zip(await photos(['c', 'd'], 3)),
    headers: as(BOB),
  });
  const submitted = await send(url, '/v1/jobs', {
    method: 'POST',
    body: JSON.stringify({ dataset: JSON.parse(uploaded.text).id, model: 'm', head: 'linear' }),
    headers: { ...as(BOB, 'application/json'), 'idempotency-key': 'same' },
  });
  t.equal(submitted.status, 202, submitted.text);
  t.not(JSON.parse(submitted.text).id, job.id);
  const predict = (key: string) => send(url, '/v1/models/m/predict', { method: 'POST', body: image, headers: as(key) });
  await until(async () => (await predict(BOB)).status === 200, { timeoutMs: 60_000, everyMs: 100 });
  const labels = async (key: string) =>
    (JSON.parse((await predict(key)).text).results[0].predictions as { label: string }[]).map(({ label }) => label);
  t.same((await labels(ALICE)).sort(), ['a', 'b']);
  t.same((await labels(BOB)).sort(), ['c', 'd']);
});

await t.test(
  'without keys no address but loopback is listened on, and a wrong key setting is named, not shown',
  async (t) => {
    const start = (env: NodeJS.ProcessEnv) =>
      spawnSync(process.execPath, [join(PACKAGE_ROOT, 'build', 'src', 'bin', 'server.js')], {
        env: { ...process.env, NODE_OPTIONS: '', REDIS_URL: 'redis://127.0.0.1:1', PORT: '0', ...env },
        encoding: 'utf8',
        timeout: 15_000,
      });
    for (const HOST of ['0.0.0.0', '::', '192.168.1.2']) {
      const refused = start({ HOST, API_KEYS: '' });
      t.equal(refused.status, 1, HOST);
      t.match(refused.stderr, `HOST=${HOST}: without an API key Graft listens on loopback only`);
      t.notMatch(refused.stderr, /\n\s+at /, 'a sentence, not a stack');
    }
    const both = start({ API_KEYS: 'alice:secret-in-clear', PORT: 'eighty', LOG_LEVEL: 'loud' });
    t.equal(both.status, 1);
    for (const name of ['API_KEYS', 'PORT', 'LOG_LEVEL']) t.match(both.stderr, name, 'all faults at once');
    t.notMatch(both.stderr, 'secret-in-clear');
  },
);
