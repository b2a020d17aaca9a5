/** Every answer has its headers, every key its rate, every line of the log its request and no secrets. */
import { createHash } from 'node:crypto';
import { Writable } from 'node:stream';
import { pino } from 'pino';
import t from 'tap';
import { logOptions } from '../../src/log.js';
import { appForTest } from '../helpers/app.js';
import { zip } from '../helpers/archives.js';
import { form, isProblem } from '../helpers/http.js';
import { content } from '../helpers/light-content.js';

const KEYS = { alice: 'graft_secret-of-alice', bob: 'graft_secret-of-bob' };

t.test('every answer tells browsers and caches to leave it alone', async (t) => {
  const { send } = await appForTest(t, { keys: KEYS });
  for (const [path, as, status] of [
    ['/livez', undefined, 200],
    ['/v1/models', undefined, 401],
    ['/v1/models', 'alice', 200],
    ['/v1/models/none', 'alice', 404],
    ['/nowhere', undefined, 404],
    ['/v1/nowhere', undefined, 404],
    ['/v1/jobs/%00', 'alice', 400],
    ['/metrics', 'alice', 200],
  ] as const) {
    const answer = await send(path, as === undefined ? {} : { as });
    t.equal(answer.status, status, path);
    t.match(
      answer.headers,
      {
        'x-content-type-options': 'nosniff',
        'content-security-policy': /^default-src 'none'; frame-ancestors 'none'/,
        'x-frame-options': 'DENY',
        'referrer-policy': 'no-referrer',
        'cross-origin-resource-policy': 'same-origin',
        'cache-control': 'no-store',
        'x-request-id': /^[0-9a-f-]{36}$/,
      },
      path,
    );
    t.notOk(answer.headers['access-control-allow-origin'], 'no other site may read it');
  }
});

t.test('a method that a route does not have is refused, with those that it has', async (t) => {
  const { send } = await appForTest(t);
  for (const [method, path, allow] of [
    ['PUT', '/v1/datasets', 'GET, HEAD, POST'],
    ['PATCH', '/v1/jobs', 'GET, HEAD, POST'],
    ['DELETE', '/v1/jobs', 'GET, HEAD, POST'],
    ['GET', '/v1/models/m/predict', 'POST'],
    ['POST', '/v1/models/m', 'DELETE, GET, HEAD'],
    ['POST', '/livez', 'GET, HEAD'],
    ['GET', '/v1/jobs/job_1/cancel', 'POST'],
  ] as const) {
    const answer = await send(path, { method });
    isProblem(t, answer, 405, 'method_not_allowed', `${method} ${path}`);
    t.equal(answer.headers.allow, allow);
  }
  for (const path of ['/v1', '/v1/nothing', '/nothing']) {
    isProblem(t, await send(path), 404, 'not_found', path);
    isProblem(t, await send(path, { method: 'POST', body: '{}' }), 404, 'not_found', path);
  }
});

t.test('fields of a form have limits that the settings give', async (t) => {
  const { send } = await appForTest(t, { env: { MAX_FORM_FIELDS: '3', MAX_FIELD_BYTES: '100' } });
  for (const [what, fields, says] of [
    [
      'a long field',
      [{ name: 'model', value: 'x'.repeat(200) }],
      /'model' is longer than 100 bytes \(MAX_FIELD_BYTES\)/,
    ],
    ['many fields', ['model', 'head', 'seed', 'refit', 'backbone'].map((name) => ({ name, value: '1' })), /too many/],
  ] as const) {
    const answer = await send('/v1/jobs', { method: 'POST', ...form([...fields]) });
    t.match(isProblem(t, answer, 400, 'invalid_multipart', what).detail, says);
  }
});

t.test(
  'a key beyond its rate is told when to come again, before anything is read; another is not held back',
  async (t) => {
    const taken: string[] = [];
    const rateLimits = {
      quota: 20,
      windowSeconds: 10,
      take(key: string) {
        taken.push(key);
        const used = taken.filter((other) => other === key).length;
        return { allowed: used <= 2, remaining: Math.max(0, 2 - used), waitSeconds: 7 };
      },
    };
    const { send } = await appForTest(t, { keys: KEYS, rateLimits });
    const first = await send('/v1/models', { as: 'alice' });
    t.match(first.headers, { 'ratelimit-policy': '"key";q=20;w=10', ratelimit: '"key";r=1;t=7' });
    await send('/metrics', { as: 'alice' });
    const refused = await send('/v1/datasets', { method: 'POST', body: 'no archive', as: 'alice' });
    isProblem(t, refused, 429, 'rate_limited');
    t.match(refused.headers, { 'retry-after': '7', ratelimit: '"key";r=0;t=7' });
    t.equal((await send('/v1/models', { as: 'bob' })).status, 200);
    for (const path of ['/livez', '/nowhere', '/v1/nowhere']) await send(path);
    isProblem(t, await send('/v1/models', { as: 'wrong' }), 401, 'unauthorized');
    t.equal(taken.length, 4, 'health, what is not there and wrong keys are not counted');
    for (const key of taken) t.match(key, /^[0-9a-f]{16}$/, 'counted under a name, not under the key');
  },
);

t.test('bodies of predictions share a memory; beyond it they are asked to come again', async (t) => {
  const { send, publish, app } = await appForTest(t, { env: { PREDICT_MEMORY_BYTES: '3000' } });
  await publish();
  const url = '/v1/models/m/predict';
  const held = new (await import('node:stream')).PassThrough();
  const holding = app.inject({ method: 'POST', url, payload: held });
  held.write(Buffer.concat([content(1), Buffer.alloc(2500, ' ')]));
  const ask = (bytes: number) => send(url, { method: 'POST', body: Buffer.concat([content(1), Buffer.alloc(bytes)]) });
  for (let n = 0; n < 100; n += 1) await new Promise((resolve) => setImmediate(resolve));
  const full = await ask(1000);
  isProblem(t, full, 429, 'overloaded');
  t.equal(full.headers['retry-after'], '1');
  t.equal((await ask(10)).status, 200, 'a small one finds room');
  isProblem(t, await send('/v1/models/none/predict', { method: 'POST', body: Buffer.alloc(4000) }), 404);
  held.end();
  t.equal((await holding).statusCode, 200);
  t.equal((await ask(1000)).status, 200, 'what was held is given back');
});

t.test('the log names the request in every line, and holds no key, no query and no forged line', async (t) => {
  const lines: string[] = [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      lines.push(...String(chunk).split('\n').filter(Boolean));
      done();
    },
  });
  const { send } = await appForTest(t, { keys: KEYS, log: pino(logOptions('test', 'trace'), stream) });
  const forged = zip([{ name: 'a/\u001b[2J\n{"level":60,"msg":"forged"}.jpg', bytes: 'x' }]);
  const name = { 'content-disposition': 'attachment; filename="x\\u001b.zip"' };
  const answers = [
    await send(`/v1/models?key=${KEYS.alice}`, { as: 'alice' }),
    await send('/v1/models', { headers: { authorization: `Bearer ${KEYS.alice}x` } }),
    await send('/v1/models', { headers: { authorization: `Basic ${KEYS.alice}` } }),
    await send('/v1/datasets', { method: 'POST', body: forged, as: 'bob', headers: name }),
  ];
  const sha = (key: string) => createHash('sha256').update(key).digest('hex');
  const log = lines.join('\n');
  for (const secret of Object.values(KEYS).flatMap((key) => [key, sha(key)])) t.notMatch(log, secret);
  const parsed = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  t.same(
    parsed.filter(({ msg }) => msg === 'request').map(({ request_id, path }) => [request_id, path]),
    answers.map(({ headers }, i) => [headers['x-request-id'], i === 3 ? '/v1/datasets' : '/v1/models']),
    'each with the id that its answer had',
  );
  t.same(
    parsed.filter(({ msg }) => msg === 'forged'),
    [],
  );
});

t.test('a job keeps the id of the request that made it', async (t) => {
  const { json, post, storage } = await appForTest(t);
  const { lightFiles } = await import('../helpers/light-content.js');
  const body = zip(lightFiles(['a', 'b'], 5));
  const { id: dataset } = await json<{ id: string }>('/v1/datasets', { method: 'POST', body, status: 201 });
  const made = await post('/v1/jobs', { dataset, model: 'm' });
  const stored = await storage.get(`tenants/default/jobs/${JSON.parse(made.text).id}/job.json`);
  const record = JSON.parse(Buffer.concat(await stored!.stream.toArray()).toString());
  t.equal(record.request_id, made.headers['x-request-id']);
});
