/** Pages of other sites: what they can send to a service on the user's own machine, and what comes of it. */
import t from 'tap';
import { type AppForTest, appForTest } from '../helpers/app.js';
import { isProblem } from '../helpers/http.js';
import { content } from '../helpers/light-content.js';

const WRITES = [
  ['POST', '/v1/datasets'],
  ['POST', '/v1/jobs'],
  ['POST', '/v1/models/m/predict'],
  ['PUT', '/v1/models/m/aliases/a'],
  ['DELETE', '/v1/models/m'],
] as const;

t.test('without keys the service answers under names of this machine only', async (t) => {
  const { send } = await appForTest(t, { env: { ALLOWED_HOSTS: 'graft.lan, *.example.com' } });
  const names = [
    'localhost',
    'localhost:8080',
    'LOCALHOST',
    'localhost.',
    'a.localhost',
    '127.0.0.1:80',
    '127.9.9.9',
    '[::1]:8080',
    'graft.lan:8080',
    'a.b.example.com',
  ];
  for (const host of names) t.equal((await send('/v1/models', { headers: { host } })).status, 200, host);
  for (const host of [
    'evil.test',
    'evil.test:8080',
    '127.0.0.1.evil.test',
    'localhost.evil.test',
    'example.com',
    '192.168.1.5',
    '0.0.0.0',
    '[::2]',
  ]) {
    for (const path of ['/v1/models', '/livez', '/docs', '/openapi.json', '/', '/nowhere']) {
      const answer = await send(path, { headers: { host } });
      isProblem(t, answer, 421, 'host_not_allowed', `${path} as ${host}`);
    }
  }
  const { text } = await send('/v1/models', { headers: { host: 'evil.test' } });
  t.match(JSON.parse(text).detail, /ALLOWED_HOSTS=evil\.test.*npm run keys -- make/);
});

t.test('with keys names do not matter: no page has one', async (t) => {
  const { send } = await appForTest(t, { keys: { alice: 'key' } });
  t.equal((await send('/v1/models', { as: 'alice', headers: { host: 'graft.example.com' } })).status, 200);
  isProblem(t, await send('/v1/models', { headers: { host: 'graft.example.com' } }), 401, 'unauthorized');
});

t.test('without keys no page of another site changes anything', async (t) => {
  const { send, publish, json } = await appForTest(t);
  await publish();
  const foreign: [string, Record<string, string>][] = [
    ['another site', { 'sec-fetch-site': 'cross-site', origin: 'https://evil.test' }],
    ['a form without Origin', { 'sec-fetch-site': 'cross-site' }],
    ['another port of this machine', { 'sec-fetch-site': 'same-site', origin: 'http://localhost:3000' }],
    ['an old browser', { origin: 'https://evil.test' }],
    ['a sandboxed frame', { origin: 'null' }],
    ['a file', { origin: 'file://' }],
  ];
  for (const [what, headers] of foreign) {
    for (const [method, path] of WRITES) {
      isProblem(t, await send(path, { method, headers, body: content(0) }), 403, 'cross_site', `${what}: ${path}`);
    }
  }
  t.equal((await json<{ data: unknown[] }>('/v1/models')).data.length, 1, 'the model is there');
  const own: Record<string, string>[] = [
    { 'sec-fetch-site': 'same-origin', origin: 'http://localhost:80' },
    { 'sec-fetch-site': 'none' },
    { host: 'localhost:8080', origin: 'http://localhost:8080' },
    {},
  ];
  for (const headers of own) {
    const answer = await send('/v1/models/m/predict', { method: 'POST', headers, body: content(0) });
    t.equal(answer.status, 200, JSON.stringify(headers));
  }
  const read = await send('/v1/models', { headers: foreign[0]![1] });
  t.equal(read.headers['access-control-allow-origin'], undefined);
  t.equal(read.headers['cross-origin-resource-policy'], 'same-origin', 'so that a browser shows it to nobody');
});

t.test('pages of CORS_ORIGINS may call: preflights, writes, answers that they may read', async (t) => {
  const origin = 'https://app.example.com';
  const preflight = (send: Awaited<ReturnType<typeof appForTest>>['send'], from: string) =>
    send('/v1/models/m/predict', {
      method: 'OPTIONS',
      headers: {
        origin: from,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization',
      },
    });
  const options: AppForTest[] = [{}, { keys: { alice: 'key' } }];
  for (const keyed of options) {
    const { send, publish } = await appForTest(t, { ...keyed, env: { CORS_ORIGINS: origin } });
    await publish({ tenant: keyed.keys ? 'alice' : 'default' });
    const allowed = await preflight(send, origin);
    t.equal(allowed.status, 204, allowed.text);
    t.equal(allowed.headers['access-control-allow-origin'], origin);
    t.match(allowed.headers['access-control-allow-methods'], /DELETE/);
    t.equal(allowed.headers['access-control-allow-headers'], 'authorization');
    const other = await preflight(send, 'https://evil.test');
    t.equal(other.headers['access-control-allow-origin'], undefined);
    const asked = await send('/v1/models/m/predict', {
      method: 'POST',
      body: content(0),
      headers: { origin, 'sec-fetch-site': 'cross-site' },
      ...(keyed.keys && { as: 'alice' }),
    });
    t.equal(asked.status, 200, asked.text);
    t.equal(asked.headers['access-control-allow-origin'], origin);
    t.match(asked.headers['access-control-expose-headers'], /Retry-After/);
    t.equal(asked.headers['cross-origin-resource-policy'], 'cross-origin');
    t.match(asked.headers.vary, /origin/i);
    t.equal(asked.headers['access-control-allow-credentials'], undefined, 'no cookies are asked for');
  }
});

t.test('below BASE_PATH, whether a proxy takes it away or not', async (t) => {
  const { send, json, publish, app } = await appForTest(t, { env: { BASE_PATH: '/graft' } });
  await publish();
  for (const base of ['', '/graft']) {
    t.equal((await send(`${base}/livez`)).status, 200, base);
    t.match(await json(`${base}/`), { api: '/graft/v1', docs: '/graft/docs' });
    const browser = await send(`${base}/`, { headers: { accept: 'text/html' } });
    t.same([browser.status, browser.headers['content-type']], [200, 'text/html; charset=utf-8']);
    t.match(browser.text, 'src="/graft/page/', 'the page asks for its files below the base path');
    const { links } = await json<{ links: Record<string, string> }>(`${base}/v1/models/m/versions/1`);
    t.equal(links.predict, '/graft/v1/models/m/versions/1/predict');
    t.equal((await send(links.self!)).status, 200);
  }
  isProblem(t, await send('/graftx/livez'), 404, 'not_found');
  t.equal((await send('/graft')).status, 200);
  t.match(app.swagger(), { servers: [{ url: '/graft' }] });
});
