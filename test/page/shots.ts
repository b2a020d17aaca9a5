/**
 * Screenshots of every view, light and dark, wide and narrow, of a service that has drawn photos in it:
 * `npm run page:shots -- [FOLDER]`, by default `page-shots/`. Look at them.
 */
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { Graft } from '../../src/client/index.js';
import { drawnPhoto } from '../../src/drawing/drawn-photos.js';
import { browserPath } from '../helpers/browser.js';
import { withService } from '../helpers/service.js';

const folder = resolve(process.env.INIT_CWD ?? '.', process.argv[2] ?? 'page-shots');
const WIDTHS = { wide: 1400, narrow: 390 };
const SCHEMES = ['light', 'dark'] as const;
const CLASS_PHOTOS = 14;

interface View {
  name: string;
  hash: string;
  /** What is done before the picture is taken. */
  prepare?: (page: Page) => Promise<void>;
}

const path = browserPath();
if (path === undefined) {
  console.error('There is no Chromium here: set CHROME_PATH.');
  process.exit(1);
}
mkdirSync(folder, { recursive: true });
const browser = await chromium.launch({
  executablePath: path,
  args: ['--no-sandbox', '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'],
});

await withService({}, async ({ url }) => {
  await shoot(browser, url, [{ name: '1-empty', hash: '' }]);
  await shoot(browser, url, [{ name: '2-collect', hash: 'collect', prepare: collectSome }]);
  const graft = new Graft({ url });
  const { dataset, version } = await fill(graft);
  const photo = await drawnPhoto('house', 200);
  const tryPhoto = async (page: Page) => {
    await page
      .locator('main input[type=file]')
      .first()
      .setInputFiles({ name: 'house.jpg', mimeType: 'image/jpeg', buffer: photo });
    await page.locator('.bars .best').waitFor();
    await page.getByRole('button', { name: 'Why?' }).click();
    await page.locator('.nearest img').first().waitFor();
  };
  await shoot(browser, url, [
    { name: '3-start', hash: '' },
    { name: '4-data', hash: 'data' },
    { name: '5-data-set', hash: `data/${dataset}` },
    { name: '6-job', hash: `jobs/${version.job}` },
    { name: '7-try', hash: 'models/drawn/try', prepare: tryPhoto },
    { name: '8-versions', hash: 'models/drawn/versions' },
    {
      name: '9-report',
      hash: 'models/drawn/report',
      prepare: async (page) => {
        const wrong = page.locator('.matrix .wrong button').first();
        if (await wrong.isVisible()) await wrong.click();
      },
    },
    { name: '10-use', hash: 'models/drawn/use' },
    { name: '11-models', hash: 'models' },
    { name: '12-jobs', hash: 'jobs' },
    { name: '13-backbones', hash: 'backbones' },
    {
      name: '14-running',
      hash: '',
      prepare: async (page) => {
        const job = await graft.jobs.create({
          dataset,
          model: 'drawn',
          hyperparameters: { augmentation: { copies: 8 } },
        });
        await page.goto(`${url}/#/jobs/${job.id}`);
        await page.locator('.phases .now').waitFor();
        await page.waitForTimeout(1200);
      },
    },
    {
      name: '15-camera',
      hash: 'models/drawn/try',
      prepare: async (page) => {
        await page.getByRole('button', { name: 'Camera' }).click();
        await page.locator('.bars .best').waitFor();
      },
    },
    { name: '16-error', hash: 'models/nothing' },
  ]);
});
await withService({ env: { API_KEYS: `default:${'0'.repeat(64)}` } }, ({ url }) =>
  shoot(browser, url, [{ name: '17-sign-in', hash: '' }]),
);
await browser.close();
console.log(`Screenshots lie in ${folder}`);

async function shoot(browser: Browser, url: string, views: View[]): Promise<void> {
  for (const colorScheme of SCHEMES) {
    for (const [size, width] of Object.entries(WIDTHS)) {
      const page = await browser.newPage({ colorScheme, viewport: { width, height: size === 'wide' ? 900 : 844 } });
      page.on('console', (said) => said.type() === 'error' && console.error(`${said.text()} (${said.location().url})`));
      for (const { name, hash, prepare } of views) {
        await page.goto('about:blank');
        await page.goto(`${url}/#/${hash}`);
        await page.waitForLoadState('networkidle');
        await prepare?.(page);
        await page.waitForTimeout(300);
        await page.screenshot({ path: join(folder, `${name}-${size}-${colorScheme}.png`), fullPage: true });
      }
      await page.close();
    }
  }
}

/** A data set with faults, two versions of a model on drawn photos, an alias. */
async function fill(graft: Graft) {
  const { id: dataset } = await graft.datasets.draw();
  const train = async (settings: object) =>
    graft.jobs.wait((await graft.jobs.create({ dataset, model: 'drawn', ...settings })).id);
  await train({ head: 'prototype' });
  await graft.models.setAlias('drawn', 'production', { version: 1 });
  const job = await train({});
  const files = [];
  for (const kind of ['leaf', 'mug'] as const) {
    for (let n = 1; n <= CLASS_PHOTOS; n += 1) {
      files.push({ name: `${kind}/${n}.jpg`, content: new Blob([new Uint8Array(await drawnPhoto(kind, n))]) });
    }
  }
  files.push({ name: 'leaf/broken.jpg', content: new Blob(['<html>not found</html>']) });
  files.push({ name: 'leaf/again.jpg', content: files[0]!.content });
  await graft.datasets.create(files, { name: 'leaves and mugs' });
  return { dataset, version: { job: job.id } };
}

async function collectSome(page: Page): Promise<void> {
  for (const [place, kind] of (['balloon', 'house'] as const).entries()) {
    const card = page.locator('.drop.class').nth(place);
    await card.locator('.className').fill(kind);
    const photos = await Promise.all([1, 2, 3, 4, 5, 6].map((n) => drawnPhoto(kind, n)));
    await card
      .locator('input[type=file]')
      .setInputFiles(photos.map((buffer, n) => ({ name: `${kind}-${n}.jpg`, mimeType: 'image/jpeg', buffer })));
  }
  await page.locator('.thumbs img').nth(11).waitFor();
}
