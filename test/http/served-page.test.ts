/** What a browser is sent: the page, its policy, and files whose names change with what is in them. */
import t from 'tap';
import { appForTest } from '../helpers/app.js';

const HTML = { accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8' };
const filesOf = (html: string) => [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, name]) => name!);

t.test('a browser gets the page, everybody else JSON', async (t) => {
  const { send, json } = await appForTest(t);
  const page = await send('/', { headers: HTML });
  t.equal(page.status, 200);
  t.match(page.headers, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-cache' });
  t.match(String(page.headers.vary), /accept/i, 'a cache keeps the two apart');
  t.notMatch(page.text, /<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon\w+=/i, 'nothing inline');
  t.match(await json('/'), { api: '/v1', docs: '/docs' });
  t.match(await json('/', { headers: { accept: 'application/json' } }), { api: '/v1' });
});

t.test('the policy lets nothing in from elsewhere, and gives the camera to the page alone', async (t) => {
  const { send } = await appForTest(t);
  const { headers } = await send('/', { headers: HTML });
  const policy = String(headers['content-security-policy']);
  const rules = new Map(
    policy
      .split(';')
      .map((rule) => rule.trim().split(/\s+/))
      .map(([name, ...from]) => [name, from]),
  );
  for (const [name, from] of rules) {
    for (const source of from ?? []) {
      t.notMatch(source, /unsafe|https?:|\*/, `${name} ${source}`);
    }
  }
  t.same(rules.get('default-src'), ["'none'"]);
  t.same(rules.get('frame-ancestors'), ["'none'"]);
  t.same(rules.get('require-trusted-types-for'), ["'script'"]);
  t.match(String(headers['permissions-policy']), 'camera=(self)');
  t.match(headers, { 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer' });
  t.notOk(headers['set-cookie'], 'no cookies');
});

t.test('files of the page stay in caches, are compressed, and need no key', async (t) => {
  const { send } = await appForTest(t, { keys: { alice: 'key-of-alice' } });
  const files = filesOf((await send('/', { headers: HTML })).text).filter((name) => /page\/.*\.(js|css)$/.test(name));
  t.ok(files.length >= 2, files.join(' '));
  for (const file of files) {
    t.match(file, /[-.][0-9A-Z]{8}\.(js|css)$/, 'the name changes with the content');
    const path = `/${file.replace(/^\//, '')}`;
    const answer = await send(path, { headers: { 'accept-encoding': 'gzip' } });
    t.equal(answer.status, 200, path);
    t.match(answer.headers, { 'cache-control': /max-age=31536000, immutable/, 'content-encoding': 'gzip' });
    t.match(String(answer.headers['content-type']), file.endsWith('.js') ? /javascript/ : /css/);
    t.equal((await send(path, { headers: { 'accept-encoding': 'identity' } })).headers['content-encoding'], undefined);
  }
  t.equal((await send('/page/nothing-of-ours.js')).status, 404);
  t.equal((await send('/page/..%2f..%2f..%2fpackage.json')).status, 404);
});

t.test('below BASE_PATH the page names its files from there', async (t) => {
  const { send } = await appForTest(t, { env: { BASE_PATH: '/graft' } });
  for (const path of ['/graft', '/graft/']) {
    for (const file of filesOf((await send(path, { headers: HTML })).text)) {
      t.match(file, /^(\/graft\/|data:|#)/, `${path}: ${file}`);
      if (file.startsWith('/')) t.equal((await send(file)).status, 200, file);
    }
  }
});
