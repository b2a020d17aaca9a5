/**
 * The figures of the page, each with its goal: `npm run page:figures`. axe-core is used where it is installed beside
 * (`npm ci --prefix test/page/axe`): its license is MPL-2.0, and it is no part of Graft.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Page } from 'playwright-core';
import { PACKAGE_ROOT } from '../../src/config.js';
import { NO_BROWSER } from '../helpers/browser.js';
import { drop, launchBrowser, openPage, petsFolder } from '../helpers/page.js';
import { withService } from '../helpers/service.js';
import { EMPTY_VIEWS, fillService, KEY_VIEWS, show, type View } from './views.js';

const BUNDLES = join(PACKAGE_ROOT, 'build', 'src');
const AXE = join(PACKAGE_ROOT, 'test', 'page', 'axe', 'node_modules', 'axe-core', 'axe.min.js');
const ROUNDS = 10;
const KEY = 'key-of-the-figures';
/** Notes when the button to choose photos was first painted, in ms since the navigation began. */
const NOTE_USABLE = `new MutationObserver((_, observer) => {
  if (!document.querySelector('.drop .primary')) return;
  observer.disconnect();
  requestAnimationFrame(() => setTimeout(() => { globalThis.usableAt = performance.now(); }));
}).observe(document, { childList: true, subtree: true });`;

/** Names, values and goals, as they are printed. */
const rows: [name: string, seen: string, goal: string][] = [];
const row = (name: string, seen: string, goal: string) => {
  rows.push([name, seen, goal]);
  console.log(`${name}: ${seen} (goal ${goal})`);
};
const kilobytes = (bytes: number) => `${(bytes / 1024).toFixed(1)} KB`;

sizes();
if (NO_BROWSER) {
  console.log(`The rest is skipped: ${NO_BROWSER}.`);
  process.exit(0);
}
const browser = await launchBrowser();
await withService({}, async ({ url }) => firstView(url));
await aPersonsWay();
await everyView();
await browser.close();
console.log(`\n| figure | seen | goal |\n|---|---|---|\n${rows.map((cells) => `| ${cells.join(' | ')} |`).join('\n')}`);

/** What the first view loads, and the client by itself, as gzip makes them. */
function sizes(): void {
  const files = join(BUNDLES, 'page', 'bundle', 'files');
  const packed = (ending: string, begins: string) =>
    readdirSync(files)
      .filter((name) => name.startsWith(begins) && name.endsWith(ending))
      .reduce((sum, name) => sum + readFileSync(join(files, name)).length, 0);
  row('script of the first view, gzip', kilobytes(packed('.js.gz', 'main-')), '≤ 60 KB');
  row('style, gzip', kilobytes(packed('.css.gz', 'style-')), '≤ 10 KB');
  const client = readFileSync(join(BUNDLES, 'client', 'bundle', 'client.mjs'));
  row('SDK, minified and gzip', kilobytes(gzipSync(client, { level: 9 }).length), '≤ 12 KB');
}

/** From navigation to a button that is painted and can be pressed; each time in a context that has nothing of it. */
async function firstView(url: string): Promise<void> {
  const took: number[] = [];
  for (let round = 0; round <= ROUNDS; round += 1) {
    const { page } = await openPage(browser, url);
    await page.addInitScript(NOTE_USABLE);
    await page.goto(url);
    await page.waitForFunction('globalThis.usableAt');
    took.push(Number(await page.evaluate('globalThis.usableAt')));
    await page.context().close();
  }
  const [, ...warm] = took; // the first one warms the server
  const median = warm.sort((a, b) => a - b)[ROUNDS / 2]!;
  row('first view, median of ten', `${Math.round(median)} ms`, '≤ 400 ms');
}

/** Key typed, folder dropped, Train pressed, tried with a photo. */
async function aPersonsWay(): Promise<void> {
  const sha256 = createHash('sha256').update(KEY).digest('hex');
  const { folder, photo, real } = await petsFolder(20);
  await withService({ env: { API_KEYS: `default:${sha256}` } }, async ({ url }) => {
    const { page } = await openPage(browser, url);
    const started = performance.now();
    const seconds = () => ((performance.now() - started) / 1000).toFixed(1);
    let actions = 0;
    const act = async (action: Promise<unknown>) => {
      actions += 1;
      await action;
    };
    await page.goto(url);
    await act(page.getByLabel('API key').fill(KEY));
    await act(page.getByRole('button', { name: 'Sign in' }).click());
    await page.locator('.hero').waitFor();
    await act(drop(page, [folder], '.hero'));
    await act(page.getByRole('button', { name: 'Train', exact: true }).click());
    await page.getByRole('heading', { name: /is ready/ }).waitFor({ timeout: 120_000 });
    const served = seconds();
    await act(page.getByRole('link', { name: 'Try it' }).click());
    await act(drop(page, [photo], '.try'));
    await page.locator('.bars .best').waitFor();
    const what = real ? '40 photos of cats and dogs' : '40 drawn photos, for cats-dogs is not here';
    row(`from opening the page to a served model, ${what}, a key, an empty DATA_DIR`, `${served} s`, '≤ 30 s');
    row('actions, with the key typed and a photo tried', `${actions}, ${seconds()} s`, '≤ 6');
    await page.context().close();
  });
}

/** Every view in both schemes: what it does that it must not do, and what axe-core finds. */
async function everyView(): Promise<void> {
  const axe = existsSync(AXE) ? readFileSync(AXE, 'utf8') : undefined;
  const found = {
    views: 0,
    policy: [] as string[],
    foreign: [] as string[],
    errors: [] as string[],
    axe: [] as string[],
  };
  const look = async (url: string, views: View[]) => {
    for (const colorScheme of ['light', 'dark'] as const) {
      for (const width of [1400, 390]) {
        const { page, faults } = await openPage(browser, url, { colorScheme, viewport: { width, height: 900 } });
        for (const view of views) {
          await show(page, url, view);
          found.views += 1;
          const wide = await page.evaluate('document.documentElement.scrollWidth > innerWidth');
          if (wide) found.errors.push(`${view.name} at ${width} px can be scrolled sideways`);
          if (axe)
            found.axe.push(
              ...(await seriousFindings(page, axe)).map((one) => `${view.name} ${colorScheme} ${width}: ${one}`),
            );
        }
        found.policy.push(...faults.policy);
        found.foreign.push(...faults.foreign);
        found.errors.push(...faults.errors);
        await page.context().close();
      }
    }
  };
  await withService({}, async ({ url }) => {
    await look(url, EMPTY_VIEWS);
    await look(url, await fillService(url));
  });
  await withService({ env: { API_KEYS: `default:${'0'.repeat(64)}` } }, ({ url }) => look(url, KEY_VIEWS));
  for (const fault of [...found.policy, ...found.foreign, ...found.errors, ...new Set(found.axe)])
    console.log(`  ${fault}`);
  row(`violations of the policy, in ${found.views} looks at every view`, String(found.policy.length), '0');
  row('requests to other hosts', String(found.foreign.length), '0');
  row('uncaught errors, and views that can be scrolled sideways', String(found.errors.length), '0');
  row('axe-core, serious or critical', axe ? String(found.axe.length) : 'not installed beside: skipped', '0');
}

async function seriousFindings(page: Page, axe: string): Promise<string[]> {
  // Not as a script of the page, which its policy would refuse.
  await page.evaluate(axe);
  return page.evaluate(`axe.run({ resultTypes: ['violations'] }).then(({ violations }) =>
    violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, nodes }) => id + ' ' + nodes.slice(0, 3).map(({ target, failureSummary }) => target + ' ' + failureSummary.split('\\n')[1]).join('; ')))`);
}
