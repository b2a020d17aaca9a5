/** Pages of other sites in a real browser, on the machine of someone who runs Graft without keys. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import t, { type Test } from 'tap';
import { PACKAGE_ROOT } from '../../src/config.js';
import type { Dataset } from '../../src/schemas/datasets.js';
import { appForTest } from '../helpers/app.js';
import { zip } from '../helpers/archives.js';
import { browserForTest, NO_BROWSER } from '../helpers/browser.js';
import { content, lightFiles } from '../helpers/light-content.js';

const ATTACK = join(PACKAGE_ROOT, 'test', 'browser', 'attack.js');
/** What an attacker's page tries. */
const TRIES = [
  'post-form-no-cors',
  'post-text-no-cors',
  'post-urlencoded-no-cors',
  'post-blob-no-cors',
  'post-json-cors',
  'put-cors',
  'delete-cors',
  'delete-keepalive',
  'beacon',
  'xhr-post',
  'xhr-delete',
  'form-multipart',
  'form-text',
  'form-urlencoded',
  'get-cors',
  'get-no-cors',
  'event-source',
  'image',
  'script',
  'frame',
  'popup',
] as const;

interface Target {
  url: string;
  dataset: string;
  archive: number[];
  image: number[];
}

/** Run one try inside a page. @returns what it could read, if anything */
async function attempt(page: Page, what: (typeof TRIES)[number], target: Target): Promise<string> {
  await page.addScriptTag({ path: ATTACK });
  // biome-ignore lint/suspicious/noExplicitAny: it is the page's own global
  return page.evaluate(({ what, target }) => (globalThis as any).attempt(what, target), { what, target });
}

async function service(t: Test) {
  const app = await appForTest(t);
  await app.publish({ model: 'm' });
  const archive = zip(lightFiles(['a', 'b'], 3));
  const { id } = await app.json<Dataset>('/v1/datasets', { method: 'POST', body: archive, status: 201 });
  const port = Number(new URL(await app.app.listen({ host: '127.0.0.1', port: 0 })).port);
  const state = async () => {
    const lists = await Promise.all(
      ['/v1/datasets', '/v1/jobs', '/v1/models', '/v1/models/m'].map((path) => app.send(path)),
    );
    return lists.map(({ text }) => text).join();
  };
  const target = { dataset: id, archive: [...archive], image: [...content(0)] };
  return { port, state, target };
}

/** A server that shows the attacker's empty page under any name. */
async function attacker(t: Test): Promise<number> {
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'text/html').end('<!doctype html><title>evil</title><body>');
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  t.teardown(() => new Promise((done) => server.close(done)));
  return (server.address() as AddressInfo).port;
}

t.test('what other sites try changes and reads nothing', { skip: NO_BROWSER }, async (t) => {
  const { port, state, target } = await service(t);
  const before = await state();
  const evil = await attacker(t);
  const browser = await browserForTest(t, ['evil.test', 'rebound.test']);
  let tries = 0;
  const tryAll = async (origin: string, urls: string[], prepare?: (page: Page) => Promise<void>) => {
    const page = await browser.newPage();
    await prepare?.(page);
    for (const url of urls) {
      for (const what of TRIES) {
        await page.goto(origin);
        const read = await attempt(page, what, { ...target, url });
        tries += 1;
        // A refusal that a page may read, such as that of a name, tells nothing of what is stored.
        const secret = read !== '' && !/"code":"(host_not_allowed|cross_site)"/.test(read);
        t.notOk(secret, `${origin} → ${url}: ${what} reads ${read.slice(0, 100)}`);
        t.equal(await state(), before, `${origin} → ${url}: ${what} changes nothing`);
      }
    }
    await page.close();
  };
  const service127 = `http://127.0.0.1:${port}`;
  // DNS rebinding: the page has the name and the port of the service, and came from elsewhere.
  const rebound = `http://rebound.test:${port}`;
  await Promise.all([
    tryAll(`http://evil.test:${evil}/`, [service127]),
    tryAll(`http://evil.test:${evil}/`, [`http://localhost:${port}`]),
    tryAll(`http://localhost:${evil}/`, [service127]), // another port of the same machine
    tryAll(`${rebound}/attack`, [rebound], async (page) => {
      await page.route(`${rebound}/attack`, (route) =>
        route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>evil</title><body>' }),
      );
    }),
  ]);
  t.comment(`${tries} tries`);
  t.ok(tries >= 30, `${tries} tries`);
});

t.test('the same tries from a page of its own do both: the trial can fail', { skip: NO_BROWSER }, async (t) => {
  const { port, state, target } = await service(t);
  const before = await state();
  const browser = await browserForTest(t);
  const page = await browser.newPage();
  const url = `http://127.0.0.1:${port}`;
  await page.route(`${url}/own`, (route) => route.fulfill({ contentType: 'text/html', body: '<!doctype html><body>' }));
  await page.goto(`${url}/own`);
  t.match(await attempt(page, 'get-cors', { ...target, url }), target.dataset);
  await attempt(page, 'post-form-no-cors', { ...target, url });
  t.not(await state(), before);
});
