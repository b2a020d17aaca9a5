/** What pages of other sites try against a service, in a real browser. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { PACKAGE_ROOT } from '../../src/config.js';

const ATTACK = join(PACKAGE_ROOT, 'test', 'helpers', 'attack.js');
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
/** Names that a browser for these tries must take to this machine. */
export const FOREIGN_NAMES = ['evil.test', 'rebound.test'];

/** What an attacker knows, and more than that: the ids. */
export interface Target {
  dataset: string;
  archive: number[];
  image: number[];
}

/** Run one try inside a page. @returns what it could read, if anything */
export async function attempt(
  page: Page,
  what: (typeof TRIES)[number],
  target: Target & { url: string },
): Promise<string> {
  await page.addScriptTag({ path: ATTACK });
  // biome-ignore lint/suspicious/noExplicitAny: it is the page's own global
  return page.evaluate(({ what, target }) => (globalThis as any).attempt(what, target), { what, target });
}

/**
 * All tries from another site, from another port of this machine, and from a name that was bound to this machine anew (DNS
 * rebinding), all at once.
 * @param options port: of the service, on loopback; state: what the service holds; all: also from the other origins
 * @returns a sentence for each try that read or changed something, and how many there were
 */
export async function tryForeignPages(options: {
  browser: Browser;
  port: number;
  target: Target;
  state: () => Promise<string>;
  all: boolean;
}): Promise<{ tries: number; found: string[] }> {
  const { browser, port, target, state, all } = options;
  const before = await state();
  const { port: evil, close } = await attacker();
  const found: string[] = [];
  let tries = 0;
  const tryAll = async (origin: string, url: string, prepare?: (page: Page) => Promise<void>) => {
    const page = await browser.newPage();
    await prepare?.(page);
    for (const what of TRIES) {
      await page.goto(origin);
      const read = await attempt(page, what, { ...target, url });
      tries += 1;
      // A refusal that a page may read, such as that of a name, tells nothing of what is stored.
      const secret = read !== '' && !/"code":"(host_not_allowed|cross_site)"/.test(read);
      if (secret) found.push(`${origin} → ${url}: ${what} reads ${read.slice(0, 100)}`);
      if ((await state()) !== before) found.push(`${origin} → ${url}: ${what} changes something`);
    }
    await page.close();
  };
  const service = `http://127.0.0.1:${port}`;
  // DNS rebinding: the page has the name and the port of the service, and came from elsewhere.
  const rebound = `http://rebound.test:${port}`;
  await Promise.all([
    tryAll(`http://evil.test:${evil}/`, service),
    tryAll(`${rebound}/attack`, rebound, async (page) => {
      await page.route(`${rebound}/attack`, (route) =>
        route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>evil</title><body>' }),
      );
    }),
    ...(all
      ? [
          tryAll(`http://evil.test:${evil}/`, `http://localhost:${port}`),
          tryAll(`http://localhost:${evil}/`, service), // another port of the same machine
        ]
      : []),
  ]);
  await close();
  return { tries, found };
}

/** A server that shows the attacker's empty page under any name. */
async function attacker(): Promise<{ port: number; close: () => Promise<void> }> {
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'text/html').end('<!doctype html><title>evil</title><body>');
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const close = () =>
    new Promise<void>((done) => {
      server.close(() => done());
      server.closeAllConnections();
    });
  return { port: (server.address() as AddressInfo).port, close };
}
