/** Two dialects in one app: each has its own paths, keys and errors, and neither shows those of the other. */
import { createHash } from 'node:crypto';
import t from 'tap';
import { KeyRing } from '../../../src/access/key-ring.js';
import { TENANT_SCOPES } from '../../../src/access/scopes.js';
import { loadConfig } from '../../../src/config.js';
import { AppError } from '../../../src/errors.js';
import { buildApp } from '../../../src/http/app.js';
import { createMetrics } from '../../../src/http/metrics.js';
import { native } from '../../../src/http/native/dialect.js';
import type { Classify } from '../../../src/operations/classify.js';
import type { Operations } from '../../../src/operations/operations.js';
import { fake } from './dialect.js';

const KEY = 'key-of-alice';
const FAKE = { 'x-fake-key': KEY };
const NATIVE = { authorization: `Bearer ${KEY}` };

/** Knows the model `cats`; of others it has something to say. */
async function classify({ caller, model, read }: Classify) {
  if (model === 'full') throw new AppError('overloaded', 'Too much.', { details: { retry_after: 7 } });
  if (model === 'broken') throw new Error('a secret of the inside');
  if (model !== 'cats') throw new AppError('model_not_found', `There is no model '${model}'.`);
  const [example] = (await read('image')).examples;
  const label = `${caller.tenant} ${caller.by.length} ${Buffer.from(example!.bytes)}`;
  return { results: [{ name: 'it', predictions: [{ label, score: 1 }] }] };
}

const app = await buildApp({
  config: loadConfig({}),
  operations: { classify } as unknown as Operations,
  dialects: [native, fake],
  access: new KeyRing({
    keys: [{ tenant: 'alice', sha256: createHash('sha256').update(KEY).digest('hex'), scopes: TENANT_SCOPES }],
  }),
  metrics: createMetrics(),
});
t.teardown(() => app.close());

const post = (url: string, headers: Record<string, string>) =>
  app.inject({ method: 'POST', url, payload: 'meow', headers: { 'content-type': 'cat/meow', ...headers } });

t.test('its route calls the operation, with the caller that its own key stands for', async (t) => {
  const answer = await post('/fake/classify/cats', FAKE);
  t.same([answer.statusCode, answer.json()], [200, { is: 'alice 16 meow' }]);
});

t.test('its key is found where it says, and nowhere else', async (t) => {
  const none = await post('/fake/classify/cats', NATIVE);
  t.equal(none.statusCode, 401);
  t.match(none.body, /^oops unauthorized: This needs an API key: send it as `X-Fake-Key: <key>`\./);
  t.notOk(none.headers['www-authenticate'], 'that is how the other dialect asks');
  const wrong = await post('/fake/classify/cats', { 'x-fake-key': 'wrong' });
  t.match(wrong.body, /^oops unauthorized: This API key is not known/);
  const query = await post(`/fake/classify/cats?x-fake-key=${KEY}`, {});
  t.equal(query.statusCode, 401);
  const there = await post('/v1/models/cats/predict', FAKE);
  t.match([there.statusCode, there.json()], [401, { code: 'unauthorized' }]);
  t.equal(there.headers['www-authenticate'], 'Bearer');
});

t.test('every error under its prefix has its shape, and no other', async (t) => {
  const ours = async (what: string, asked: ReturnType<typeof post>, status: number, code: string) => {
    const answer = await asked;
    t.same([answer.statusCode, answer.headers['x-oops']], [status, code], what);
    t.match(answer.body, new RegExp(`^oops ${code}: .*\\(${answer.headers['x-request-id']}\\)$`), what);
    t.match(answer.headers['content-type'], 'text/plain', what);
    return answer;
  };
  await ours('of an operation', post('/fake/classify/dogs', FAKE), 404, 'model_not_found');
  const full = await ours('busy', post('/fake/classify/full', FAKE), 429, 'overloaded');
  t.equal(full.headers['retry-after'], '7', 'what HTTP says of an error is said in every dialect');
  const broken = await ours('a bug', post('/fake/classify/broken', FAKE), 500, 'internal');
  t.notMatch(broken.body, 'secret');
  await ours('no such path', post('/fake/nowhere', {}), 404, 'not_found');
  await ours('the prefix itself', post('/fake', {}), 404, 'not_found');
  const get = await ours('another method', app.inject({ url: '/fake/classify/cats' }), 405, 'method_not_allowed');
  t.equal(get.headers.allow, 'POST');
  await ours('a URL that cannot be read', post('/fake/classify/%E0%A4%A', FAKE), 400, 'invalid_request');
});

t.test('errors of the native dialect, and of paths that are nobody’s, are problems', async (t) => {
  for (const [path, code] of [
    ['/v1/models/full/predict', 'overloaded'],
    ['/v1/models/broken/predict', 'internal'],
    ['/v1/models/UPPER/predict', 'invalid_request'],
    ['/v1/nowhere', 'not_found'],
    ['/v1', 'not_found'],
    ['/nowhere', 'not_found'],
    ['/fakery', 'not_found'],
    ['/v1/%E0%A4%A', 'invalid_request'],
    ['/%E0%A4%A', 'invalid_request'],
  ] as const) {
    const answer = await post(path, NATIVE);
    t.match(answer.headers['content-type'], 'application/problem+json', path);
    t.match(answer.json(), { code, status: answer.statusCode, request_id: answer.headers['x-request-id'] }, path);
    t.notOk(answer.headers['x-oops']);
  }
});
