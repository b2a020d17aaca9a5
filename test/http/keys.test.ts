/** API keys: who may enter, and that tenants do not see each other. */
import { createHash } from 'node:crypto';
import t, { type Test } from 'tap';
import type { Dataset } from '../../src/schemas/datasets.js';
import type { Job } from '../../src/schemas/jobs.js';
import type { Prediction } from '../../src/schemas/predictions.js';
import { appForTest, type SendOptions } from '../helpers/app.js';
import { zip } from '../helpers/archives.js';
import { isProblem } from '../helpers/http.js';
import { content, lightFiles } from '../helpers/light-content.js';

const KEYS = { alice: 'key-of-alice', bob: 'key-of-bob' };
const ZEROS = '0'.repeat(26);
const JSON_TYPE = 'application/json';

const ROUTES: [method: SendOptions['method'], path: string, body?: Buffer | string, type?: string][] = [
  ['POST', '/v1/datasets', content(0)],
  ['GET', '/v1/datasets'],
  ['GET', `/v1/datasets/ds_${ZEROS}`],
  ['DELETE', `/v1/datasets/ds_${ZEROS}`],
  ['POST', '/v1/jobs', '{}', JSON_TYPE],
  ['GET', '/v1/jobs'],
  ['GET', '/v1/service/jobs'],
  ['GET', `/v1/jobs/job_${ZEROS}`],
  ['POST', `/v1/jobs/job_${ZEROS}/cancel`],
  ['GET', `/v1/jobs/job_${ZEROS}/events`],
  ['GET', '/v1/models'],
  ['GET', '/v1/models/m'],
  ['DELETE', '/v1/models/m'],
  ['GET', '/v1/models/m/versions'],
  ['GET', '/v1/models/m/versions/1'],
  ['DELETE', '/v1/models/m/versions/1'],
  ['GET', '/v1/models/m/versions/1/predictions'],
  ['GET', '/v1/models/m/versions/1/report'],
  ['GET', '/v1/models/m/versions/1/report/curves.svg'],
  ['GET', '/v1/models/m/versions/1/report/confusion.svg'],
  ['GET', '/v1/models/m/versions/1/files/labels.json'],
  ['GET', '/v1/models/m/versions/1/artifact'],
  ['HEAD', '/v1/models/m/versions/1/artifact'],
  ['PUT', '/v1/models/m/aliases/a', '{"version":1}', JSON_TYPE],
  ['DELETE', '/v1/models/m/aliases/a'],
  ['POST', '/v1/models/m/predict', content(0)],
  ['POST', '/v1/models/m/versions/1/predict', content(0)],
  ['POST', '/v1/models/m/aliases/a/predict', content(0)],
  ['GET', '/v1/backbones'],
  ['GET', '/v1/backbones/catalog'],
  ['POST', '/v1/backbones/recommend', `{"dataset":"ds_${ZEROS}"}`, JSON_TYPE],
  ['POST', '/v1/backbones/pull', '{"id":"mobilenet_v2"}', JSON_TYPE],
  ['POST', '/v1/datasets/drawn'],
  ['GET', `/v1/datasets/ds_${'0'.repeat(26)}/examples/${'0'.repeat(64)}`],
  ['GET', '/metrics'],
];

t.test('every route but health and documentation needs one of the keys', async (t) => {
  const { app, send } = await appForTest(t, { keys: KEYS });
  const sha = createHash('sha256').update(KEYS.alice).digest('hex');
  for (const [method, path, body, type] of ROUTES) {
    for (const [what, headers] of Object.entries<Record<string, string>>({
      'without a key': {},
      'with a wrong key': { authorization: 'Bearer wrong' },
      'with the digest of a key': { authorization: `Bearer ${sha}` },
      'with another scheme': { authorization: `Basic ${KEYS.alice}` },
      'with an empty key': { authorization: 'Bearer ' },
      'with a tenant': { authorization: 'Bearer alice' },
    })) {
      const sent = { method, body, headers: { ...headers, ...(type && { 'content-type': type }) } };
      const answer = await send(path, sent as SendOptions);
      if (method === 'HEAD') t.equal(answer.status, 401, `${method} ${path} ${what}`);
      else isProblem(t, answer, 401, 'unauthorized', `${method} ${path} ${what}`);
      t.equal(answer.headers['www-authenticate'], 'Bearer');
    }
  }
  isProblem(t, await send(`/v1/models?key=${KEYS.alice}`), 401, 'unauthorized', 'in the query');
  t.equal((await send('/livez')).status, 200);
  t.equal((await send('/readyz')).status, 200);
  const other = { headers: { authorization: `bearer  ${KEYS.alice}` } };
  t.equal((await send('/v1/datasets', other)).status, 200, 'however it is written');
  const described = app.swagger() as { paths: Record<string, Record<string, unknown>> };
  const known = ROUTES.map(([method, path]) => `${method?.toLowerCase()} ${path.split('/').length}`);
  for (const [path, methods] of Object.entries(described.paths)) {
    if (path === '/livez' || path === '/readyz') continue;
    for (const method of Object.keys(methods)) {
      t.ok(known.includes(`${method} ${path.split('/').length}`), `${method} ${path} is asked above`);
    }
  }
});

/** Alice has a data set, a job, a model with an alias; Bob has nothing. */
async function alicesWorld(t: Test) {
  const app = await appForTest(t, { keys: KEYS });
  const upload = (as: keyof typeof KEYS, labels: string[]) =>
    app.json<Dataset>('/v1/datasets', { method: 'POST', body: zip(lightFiles(labels, 5)), as, status: 201 });
  const train = (as: keyof typeof KEYS, dataset: string) =>
    app.post('/v1/jobs', { dataset, model: 'm' }, { as, headers: { 'idempotency-key': 'same' } });
  const dataset = await upload('alice', ['a', 'b']);
  const job = JSON.parse((await train('alice', dataset.id)).text) as Job;
  await app.publish({ tenant: 'alice', labels: ['a', 'b'] });
  t.equal((await app.put('/v1/models/m/aliases/a', { version: 1 }, { as: 'alice' })).status, 200);
  return { ...app, upload, train, dataset, job };
}

t.test('another tenant finds none of it, by any route, and can change nothing', async (t) => {
  const { send, json, post, dataset, job } = await alicesWorld(t);
  const codes: Record<string, string> = {
    datasets: 'dataset_not_found',
    jobs: 'job_not_found',
    models: 'model_not_found',
  };
  for (const [method, template, body, type] of ROUTES) {
    const path = template.replace(`ds_${ZEROS}`, dataset.id).replace(`job_${ZEROS}`, job.id);
    if (!/^\/v1\/(datasets|jobs|models)\/./.test(path)) continue;
    if (path === '/v1/datasets/drawn') continue; // makes a data set of the caller's own
    const sent = { method, body, as: 'bob', headers: type ? { 'content-type': type } : {} };
    const answer = await send(path, sent as SendOptions);
    if (method === 'HEAD') t.equal(answer.status, 404, path);
    else isProblem(t, answer, 404, codes[path.split('/')[2]!], `${method} ${path}`);
  }
  for (const list of ['/v1/datasets', '/v1/jobs', '/v1/models']) {
    t.same(await json(list, { as: 'bob' }), { data: [], has_more: false }, list);
  }
  const stolen = await post('/v1/jobs', { dataset: dataset.id, model: 'm' }, { as: 'bob' });
  isProblem(t, stolen, 404, 'dataset_not_found', "a job on the other tenant's data set");
  const stream = await send(`/v1/jobs/${job.id}/events`, { as: 'bob', headers: { accept: 'text/event-stream' } });
  isProblem(t, stream, 404, 'job_not_found', 'events as a stream');
  t.match(await json('/v1/models/m', { as: 'alice' }), { versions: [1], aliases: [{ alias: 'a', version: 1 }] });
  t.equal((await send(`/v1/datasets/${dataset.id}`, { as: 'alice' })).status, 200);
});

t.test('the same names and the same Idempotency-Key of two tenants are two things', async (t) => {
  const { json, upload, train, publish, job } = await alicesWorld(t);
  const submitted = await train('bob', (await upload('bob', ['c', 'd'])).id);
  t.equal(submitted.status, 202, submitted.text);
  t.not(JSON.parse(submitted.text).id, job.id);
  await publish({ tenant: 'bob', labels: ['c', 'd'] });
  const best = async (as: string) => {
    const { results } = await json<Prediction>('/v1/models/m/predict', { method: 'POST', body: content(0), as });
    return results[0]!.predictions[0]!.label;
  };
  t.same([await best('alice'), await best('bob')], ['a', 'c']);
});
