/** Everything that comes in has a limit, every answer its headers, every line of the log its request, and no secrets. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { newId } from '../../src/ids.js';
import { Registry } from '../../src/registry/registry.js';
import type { Dataset } from '../../src/schemas/datasets.js';
import type { Job } from '../../src/schemas/jobs.js';
import { FileStorage } from '../../src/storage/file-storage.js';
import { zip } from '../helpers/archives.js';
import { form, isProblem, send, until } from '../helpers/http.js';
import { photos } from '../helpers/photos.js';
import { serviceForTest } from '../helpers/service.js';

const KEYS = { alice: 'graft_secret-of-alice', bob: 'graft_secret-of-bob' };
const sha = (key: string) => createHash('sha256').update(key).digest('hex');
const log: string[] = [];
const service = await serviceForTest(t, {
  worker: false,
  onLog: (text) => log.push(text),
  env: {
    LOG_LEVEL: 'trace',
    API_KEYS: `alice:${sha(KEYS.alice)},bob:${sha(KEYS.bob)}`,
    MAX_JSON_BYTES: '2000',
    MAX_FORM_FIELDS: '3',
    MAX_FIELD_BYTES: '100',
    MAX_HEADER_BYTES: '2048',
    MAX_DATASETS: '2',
    MAX_OPEN_JOBS: '2',
    MAX_MODELS: '1',
    MAX_PREDICT_EXAMPLES: '4',
    PREDICT_MEMORY_BYTES: '3000000',
    STALL_TIMEOUT_SECONDS: '1',
  },
});
const { url, dataDir } = service;
const as = (who: keyof typeof KEYS, type?: string) => ({
  authorization: `Bearer ${KEYS[who]}`,
  ...(type && { 'content-type': type }),
});

/** Publish a version straight into the data folder: enough for a model to be there. */
async function publish(tenant: string, model: string): Promise<void> {
  await new Registry({ storage: new FileStorage({ root: dataDir }) }).publish({
    tenant,
    job: newId('job'),
    model,
    manifest: {
      model,
      job: newId('job'),
      dataset: newId('ds'),
      backbone: { id: 'rootstock_s', sha256: '0'.repeat(64), dimensions: 4 },
      head: 'linear',
      labels: ['a', 'b'],
      accuracy: null,
      description: null,
      digest: model,
    },
    files: new Map([['labels.json', '["a","b"]']]),
  });
}

/** Write to a bare socket. @returns what came back until it was closed */
function raw(text: string, timeoutMs = 10_000): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.write(text));
    let got = '';
    socket.setTimeout(timeoutMs, () => reject(new Error(`still open after ${timeoutMs} ms: ${got}`)));
    socket.on('data', (chunk) => {
      got += chunk;
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      socket.setTimeout(0);
      resolve(got);
    });
  });
}

await t.test('every answer tells browsers and caches to leave it alone', async (t) => {
  for (const [path, headers, status] of [
    ['/livez', {}, 200],
    ['/v1/models', {}, 401],
    ['/v1/models', as('alice'), 200],
    ['/v1/models/none', as('alice'), 404],
    ['/nowhere', {}, 404],
    ['/v1/jobs/%00', as('alice'), 400],
    ['/metrics', as('alice'), 200],
  ] as const) {
    const answer = await send(url, path, { headers });
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
  const docs = await send(url, '/docs/');
  t.equal(docs.status, 200);
  t.match(docs.headers['content-security-policy'], /default-src 'self'; .*frame-ancestors 'none'/);
});

await t.test('bodies, fields and headers that are too large are refused by name', async (t) => {
  const big = JSON.stringify({ dataset: newId('ds'), model: 'm', description: 'x'.repeat(2000) });
  const job = await send(url, '/v1/jobs', { method: 'POST', body: big, headers: as('alice', 'application/json') });
  t.match(isProblem(t, job, 413, 'too_large', 'settings').detail, /MAX_JSON_BYTES/);
  const alias = `{"version":1,${' '.repeat(2000)}"expected":1}`;
  const put = await send(url, '/v1/models/m/aliases/a', {
    method: 'PUT',
    body: alias,
    headers: as('alice', 'application/json'),
  });
  isProblem(t, put, 413, 'too_large', 'an alias');
  for (const [what, fields, says] of [
    [
      'a long field',
      [{ name: 'model', value: 'x'.repeat(200) }],
      /'model' is longer than 100 bytes \(MAX_FIELD_BYTES\)/,
    ],
    ['many fields', Array.from({ length: 5 }, (_, i) => ({ name: `f${i}`, value: '1' })), /too many/],
  ] as const) {
    const { body, headers } = form([...fields]);
    const answer = await send(url, '/v1/jobs', { method: 'POST', body, headers: { ...as('alice'), ...headers } });
    t.match(isProblem(t, answer, 400, 'invalid_multipart', what).detail, says);
  }
  const answer = await raw(`GET /livez HTTP/1.1\r\nhost: x\r\nx-long: ${'x'.repeat(4000)}\r\n\r\n`);
  t.match(answer, /^HTTP\/1\.1 413 .*2048 bytes \(MAX_HEADER_BYTES\)/s);
});

await t.test('a body that stands still is answered 408, whatever it announced', async (t) => {
  await publish('alice', 'mine');
  const began = Date.now();
  for (const path of ['/v1/datasets', '/v1/models/mine/predict', '/v1/jobs']) {
    const answer = await raw(
      `POST ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${KEYS.alice}\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"a`,
    );
    t.match(answer, /^HTTP\/1\.1 408 .*STALL_TIMEOUT_SECONDS/s, path);
  }
  t.ok(Date.now() - began < 9000, 'none was held for long');
  const left = new FileStorage({ root: dataDir });
  await until(async () => (await left.list('.tmp')).length === 0, { what: 'the end of the upload' });
});

await t.test('a tenant has so many data sets, models and open jobs, and another as many of its own', async (t) => {
  const archive = zip(await photos(['a', 'b'], 4));
  const upload = (who: keyof typeof KEYS) =>
    send(url, '/v1/datasets', { method: 'POST', body: archive, headers: as(who) });
  const first = await upload('alice');
  t.equal(first.status, 201, first.text);
  t.equal((await upload('alice')).status, 201);
  t.match(isProblem(t, await upload('alice'), 403, 'quota_exceeded', 'data sets').detail, /MAX_DATASETS/);
  t.equal((await upload('bob')).status, 201);
  const { id: dataset } = JSON.parse(first.text) as Dataset;
  const submit = (model: string) =>
    send(url, '/v1/jobs', {
      method: 'POST',
      body: JSON.stringify({ dataset, model }),
      headers: as('alice', 'application/json'),
    });
  t.match(isProblem(t, await submit('another'), 403, 'quota_exceeded', 'models').detail, /MAX_MODELS/);
  t.equal((await submit('mine')).status, 202, 'another version of the same model');
  t.equal((await submit('mine')).status, 202);
  const third = await submit('mine');
  t.match(isProblem(t, third, 429, 'too_many_jobs', 'jobs').detail, /MAX_OPEN_JOBS/);
  t.equal(third.headers['retry-after'], '10');
});

await t.test('a prediction of a million images in JSON is refused by their number, not one by one', async (t) => {
  const body = `{"images":[${'1,'.repeat(999_999)}1]}`;
  const began = Date.now();
  const answer = await send(url, '/v1/models/mine/predict', {
    method: 'POST',
    body,
    headers: as('alice', 'application/json'),
  });
  t.match(isProblem(t, answer, 413, 'too_large').detail, /1000000 examples in one request; at most 4/);
  t.ok(answer.text.length < 1000 && Date.now() - began < 5000);
  const many = JSON.stringify({ images: [1, 2, 3, 4] });
  const few = await send(url, '/v1/models/mine/predict', {
    method: 'POST',
    body: many,
    headers: as('alice', 'application/json'),
  });
  isProblem(t, few, 400, 'invalid_request');
});

await t.test('streams of events are counted per tenant, and given back', async (t) => {
  const { url: other } = await service.startServer({ MAX_EVENT_STREAMS: '2' });
  const [job] = JSON.parse((await send(other, '/v1/jobs', { headers: as('alice') })).text).data as Job[];
  const follow = (leave?: AbortSignal) =>
    fetch(`${other}/v1/jobs/${job!.id}/events`, {
      headers: { ...as('alice'), accept: 'text/event-stream' },
      ...(leave && { signal: leave }),
    });
  const leaving = new AbortController();
  const open = [await follow(leaving.signal), await follow(leaving.signal)];
  t.same(
    open.map(({ status, headers }) => [status, headers.get('content-type'), headers.get('x-content-type-options')]),
    [
      [200, 'text/event-stream', 'nosniff'],
      [200, 'text/event-stream', 'nosniff'],
    ],
  );
  const refused = await follow();
  t.equal(refused.status, 429);
  t.equal(refused.headers.get('retry-after'), '1');
  leaving.abort();
  await until(
    async () => {
      const once = new AbortController();
      const { status } = await follow(once.signal);
      once.abort();
      return status === 200;
    },
    { what: 'a place' },
  );
});

await t.test('an answer names the first of very many faults', async (t) => {
  const { url: other } = await service.startServer({ MAX_JSON_BYTES: '1048576' });
  const unknown = Object.fromEntries(Array.from({ length: 60_000 }, (_, i) => [`x${i}`, 1]));
  const began = Date.now();
  const answer = await send(other, '/v1/jobs', {
    method: 'POST',
    body: JSON.stringify({ dataset: newId('ds'), model: 'm', ...unknown }),
    headers: as('alice', 'application/json'),
  });
  const problem = isProblem(t, answer, 400, 'invalid_request');
  t.match(problem.errors!.at(-1)!.reason, /has \d+ more faults/);
  t.ok(answer.text.length < 20_000 && Date.now() - began < 5000);
});

await t.test('bodies of predictions share a memory; beyond it they are asked to come again', async (t) => {
  const { port, hostname } = new URL(url);
  const held = connect(Number(port), hostname);
  held.on('error', () => undefined);
  const head = `POST /v1/models/mine/predict HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${KEYS.alice}\r\ncontent-length: 2900000\r\n\r\n`;
  held.write(head + 'x'.repeat(2_800_000));
  await sleep(300);
  const answer = await send(url, '/v1/models/mine/predict', {
    method: 'POST',
    body: Buffer.alloc(400_000),
    headers: as('bob'),
  });
  t.equal(answer.status, 404, 'who has no such model is told before');
  const full = await send(url, '/v1/models/mine/predict', {
    method: 'POST',
    body: Buffer.alloc(400_000),
    headers: as('alice'),
  });
  isProblem(t, full, 429, 'overloaded');
  t.equal(full.headers['retry-after'], '1');
  held.destroy();
  await until(
    async () =>
      (
        await send(url, '/v1/models/mine/predict', {
          method: 'POST',
          body: Buffer.alloc(400_000),
          headers: as('alice'),
        })
      ).status !== 429,
    { what: 'room' },
  );
});

await t.test('a key beyond its rate is told when to come again; another is not held back', async (t) => {
  const { url: one } = await service.startServer({ RATE_LIMIT_PER_SECOND: '2' });
  const { url: two } = await service.startServer({ RATE_LIMIT_PER_SECOND: '2' });
  const ask = (at: string, who: keyof typeof KEYS) => send(at, '/v1/models', { headers: as(who) });
  const first = await ask(one, 'alice');
  t.match(first.headers, { 'ratelimit-policy': '"key";q=20;w=10', ratelimit: /^"key";r=\d+;t=\d+$/ });
  for (let i = 0; i < 30; i += 1) await ask(one, 'alice');
  const refused = await ask(one, 'alice');
  isProblem(t, refused, 429, 'rate_limited');
  const wait = Number(refused.headers['retry-after']);
  t.ok(wait >= 1 && wait <= 20, `${wait} s`);
  t.equal((await ask(one, 'bob')).status, 200);
  await until(async () => (await ask(two, 'alice')).status === 429, {
    timeoutMs: 3000,
    what: 'hearing of the other server',
  });
  t.equal((await send(one, '/livez')).status, 200, 'health checks have no key');
});

await t.test('connections beyond the most are closed at once, and those there go on', async (t) => {
  const { url: other } = await service.startServer({ MAX_CONNECTIONS: '3' });
  const { hostname, port } = new URL(other);
  const open = Array.from({ length: 3 }, () => connect(Number(port), hostname));
  t.teardown(() => {
    for (const socket of open) socket.destroy();
  });
  await Promise.all(open.map((socket) => new Promise((resolve) => socket.once('connect', resolve))));
  await sleep(50);
  t.equal((await send(other, '/livez')).status, 0);
  open[0]!.end('GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
  const [answer] = (await new Promise((resolve) => open[0]!.once('data', (chunk) => resolve([chunk])))) as [Buffer];
  t.match(answer.toString(), /^HTTP\/1\.1 200/);
});

await t.test('the log names the request in every line, and holds no key, no query and no forged line', async (t) => {
  const job = JSON.parse((await send(url, '/v1/jobs', { headers: as('alice') })).text).data[0] as Job;
  await send(url, `/v1/jobs/${job.id}?key=${KEYS.alice}`, { headers: as('alice') });
  await send(url, '/v1/models', { headers: { authorization: `Bearer ${KEYS.alice}x` } });
  await send(url, '/v1/models', { headers: { authorization: `Basic ${KEYS.alice}` } });
  await send(url, '/v1/datasets', {
    method: 'POST',
    body: zip([{ name: 'a/\u001b[2J\n{"level":60,"msg":"forged"}.jpg', bytes: 'x' }]),
    headers: { ...as('bob'), 'content-disposition': 'attachment; filename="x\\u001b.zip"' },
  });
  await sleep(100);
  const lines = log.join('').split('\n').filter(Boolean);
  t.ok(lines.length > 50, `${lines.length} lines`);
  const parsed = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  for (const secret of [KEYS.alice, KEYS.bob, sha(KEYS.alice), sha(KEYS.bob)]) t.notMatch(log.join(''), secret);
  const requests = parsed.filter(({ msg, method }) => msg === 'request' || method !== undefined);
  t.ok(requests.length > 50);
  t.same(
    requests.filter(({ request_id }) => !/^[0-9a-f-]{36}$/.test(String(request_id))),
    [],
    'each with the id that its answer had',
  );
  t.same(
    parsed.filter(({ msg }) => msg === 'forged'),
    [],
  );
  const record = JSON.parse(readFileSync(join(dataDir, 'tenants', 'alice', 'jobs', job.id, 'job.json'), 'utf8'));
  t.match(record.request_id, /^[0-9a-f-]{36}$/, 'a job knows the request that made it');
});
