/** Every view of the page, with something in it: drawn photos, two versions, an alias, an upload with faults. */
import type { Page } from 'playwright-core';
import { Graft } from '../../src/client/index.js';
import { drawnPhoto } from '../../src/drawing/drawn-photos.js';

export interface View {
  name: string;
  hash: string;
  /** What is done before one looks. */
  prepare?: (page: Page) => Promise<void>;
}

const CLASS_PHOTOS = 14;

/** Views of a service that has nothing yet. */
export const EMPTY_VIEWS: View[] = [
  { name: '1-empty', hash: '' },
  { name: '2-collect', hash: 'collect', prepare: collectSome },
];

/** Views of a service that wants a key. */
export const KEY_VIEWS: View[] = [{ name: '17-sign-in', hash: '' }];

/** Fill a service. @returns its views */
export async function fillService(url: string): Promise<View[]> {
  const graft = new Graft({ url });
  const { id: dataset } = await graft.datasets.draw();
  const train = async (settings: object) =>
    graft.jobs.wait((await graft.jobs.create({ dataset, model: 'drawn', ...settings })).id);
  await train({ head: 'prototype' });
  await graft.models.setAlias('drawn', 'production', { version: 1 });
  const job = await train({});
  const recommended = await graft.jobs.wait((await graft.backbones.recommend(dataset)).id);
  const { id: faulty } = await graft.datasets.create(await someFaults(), { name: 'leaves and mugs' });
  const photo = await drawnPhoto('house', 200);
  return [
    { name: '3-start', hash: '' },
    { name: '4-data', hash: 'data' },
    { name: '5-data-set', hash: `data/${dataset}` },
    { name: '5-not-taken', hash: `data/${faulty}` },
    { name: '6-job', hash: `jobs/${job.id}`, prepare: (page) => page.locator('canvas').first().waitFor() },
    { name: '6-recommend', hash: `jobs/${recommended.id}` },
    {
      name: '7-try',
      hash: 'models/drawn/try',
      async prepare(page) {
        const input = page.locator('main input[type=file]').first();
        await input.setInputFiles({ name: 'house.jpg', mimeType: 'image/jpeg', buffer: photo });
        await page.locator('.bars .best').waitFor();
        await page.getByRole('button', { name: 'Why?' }).click();
        await page.locator('.nearest .photo').first().scrollIntoViewIfNeeded();
        await page.locator('.nearest img').first().waitFor();
      },
    },
    { name: '8-versions', hash: 'models/drawn/versions' },
    {
      name: '9-report',
      hash: 'models/drawn/report',
      async prepare(page) {
        await page.locator('.matrix .wrong button').first().click();
        await page.locator('.thumbs.large .photo').first().scrollIntoViewIfNeeded();
        await page.locator('.thumbs.large img').first().waitFor();
      },
    },
    { name: '10-use', hash: 'models/drawn/use' },
    { name: '11-models', hash: 'models' },
    { name: '12-jobs', hash: 'jobs' },
    { name: '13-backbones', hash: 'backbones' },
    {
      name: '14-running',
      hash: '',
      async prepare(page) {
        const hyperparameters = { augmentation: { copies: 8 } };
        const { id } = await graft.jobs.create({ dataset, model: 'running', hyperparameters });
        await page.goto(`${url}/#/jobs/${id}`);
        await page.locator('.phases .now').waitFor();
        await page.waitForTimeout(1000);
      },
    },
    {
      name: '15-camera',
      hash: 'models/drawn/try',
      async prepare(page) {
        await page.getByRole('button', { name: 'Camera' }).click();
        await page.locator('.bars .best').waitFor();
      },
    },
    { name: '16-error', hash: 'models/nothing' },
  ];
}

/** Show a view from the beginning. */
export async function show(page: Page, url: string, { hash, prepare }: View): Promise<void> {
  await page.goto('about:blank');
  await page.goto(`${url}/#/${hash}`);
  await page.waitForLoadState('networkidle');
  await prepare?.(page);
  await page.waitForTimeout(300); // what moves has come to rest
}

async function someFaults() {
  const files = [];
  for (const kind of ['leaf', 'mug'] as const) {
    for (let n = 1; n <= CLASS_PHOTOS; n += 1) {
      files.push({ name: `${kind}/${n}.jpg`, content: new Blob([new Uint8Array(await drawnPhoto(kind, n))]) });
    }
  }
  files.push({ name: 'leaf/broken.jpg', content: new Blob(['<html>not found</html>']) });
  files.push({ name: 'leaf/again.jpg', content: files[0]!.content });
  return files;
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
