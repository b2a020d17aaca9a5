/**
 * The page in a real browser, with a real service: from photos to a model that is tried, with a key and without, over networks
 * that break, through restarts and reloads.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { Page } from 'playwright-core';
import t from 'tap';
import { Graft } from '../../src/client/index.js';
import { type Call, callsOf } from '../../src/page/core/calls.js';
import { NO_BROWSER } from '../helpers/browser.js';
import { closedPort } from '../helpers/file-server.js';
import { drop, launchBrowser, openPage, petsFolder } from '../helpers/page.js';
import { serviceForTest } from '../helpers/service.js';

if (NO_BROWSER) {
  t.pass('skipped', { skip: NO_BROWSER });
  process.exit(0);
}

/** A picture in the clipboard, each time another. */
const PASTE = `async (n) => {
  const canvas = new OffscreenCanvas(64, 64);
  const pen = canvas.getContext('2d');
  pen.fillStyle = 'rgb(' + n * 40 + ' 90 200)';
  pen.fillRect(0, 0, 64, 40 + n);
  const clipboardData = new DataTransfer();
  clipboardData.items.add(new File([await canvas.convertToBlob()], 'pasted-' + n + '.png', { type: 'image/png' }));
  dispatchEvent(new ClipboardEvent('paste', { clipboardData }));
}`;

const KEY = 'a-key-for-this-test';
const { folder, photo } = await petsFolder(20);
const browser = await launchBrowser();
t.teardown(() => browser.close());

const ready = (page: Page) => page.getByRole('heading', { name: /is ready, as version/ }).waitFor({ timeout: 60_000 });
const best = (page: Page) => page.locator('.bars .best').waitFor();
const loaded = (page: Page, selector: string) =>
  page.waitForFunction((s) => {
    const images = [...(globalThis as never as { document: Document }).document.querySelectorAll(s)];
    return images.length > 0 && images.every((image) => (image as never as { naturalWidth: number }).naturalWidth > 0);
  }, selector);
type Document = { querySelectorAll(selector: string): Iterable<unknown> };

t.test('without a key: a folder is dropped, Train is pressed, the model is tried', async (t) => {
  const service = await serviceForTest(t, { env: { BACKBONE_MIRROR: await closedPort() } });
  const { url } = service;
  const { page, faults } = await openPage(browser, url, { permissions: ['clipboard-read', 'clipboard-write'] });

  await t.test('the whole way', async (t) => {
    await page.goto(url);
    await page.locator('.hero').waitFor();
    await drop(page, [folder], '.hero');
    await page.waitForURL(/#\/data\/ds_/);
    await page.getByText('Each folder is a class.').waitFor();
    t.match(await page.locator('main').innerText(), /40 photos in 2 classes/);
    await loaded(page, '.strip img');
    await page.getByRole('button', { name: 'Train', exact: true }).click();
    await page.waitForURL(/#\/jobs\/job_/);
    await ready(page);
    t.match(
      await page.locator('.result').innerText(),
      /\d+\.\d % right[\s\S]*95 % interval[\s\S]*What would help most/,
    );
    await page.getByRole('link', { name: 'Try it' }).click();
    await drop(page, [photo], '.try');
    await best(page);
    await page.getByRole('button', { name: 'Why?' }).click();
    await loaded(page, '.nearest img');
    t.match(await page.locator('.tried').innerText(), /Red speaks for/);
    await page.getByRole('button', { name: 'Camera' }).click();
    await best(page);
    await page.goBack();
    await ready(page);
  });

  await t.test('a reload in the middle of training goes on', async (t) => {
    await page.goto(`${url}/#/data`);
    await page.locator('.rows a').first().click();
    await page.getByRole('button', { name: 'Train', exact: true }).click();
    await page.waitForURL(/#\/jobs\/job_/);
    await page.reload();
    await ready(page);
    t.match(await page.locator('h1').innerText(), /pets, version 2/);
  });

  await t.test('versions are promoted and rolled back', async (t) => {
    await page.goto(`${url}/#/models/pets/versions`);
    await page.getByRole('button', { name: 'Promote' }).first().click();
    await page.getByRole('dialog').getByRole('button', { name: 'Promote' }).click();
    await page.getByText('production → version 2').waitFor();
    await page.getByRole('button', { name: 'Roll back to version 1' }).click();
    await page.getByText('production → version 1').waitFor();
    t.match((await new Graft({ url }).models.get('pets')).aliases, [{ alias: 'production', version: 1 }]);
    await page.getByRole('link', { name: '2', exact: true }).click();
    await page.getByText('What is taken for what').waitFor();
    await page.locator('.matrix button').first().click();
    await loaded(page, '.thumbs.large img');
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.goto(`${url}/#/models/pets/use`).then(() => page.getByRole('button', { name: 'Download' }).nth(1).click()),
    ]);
    t.equal(download.suggestedFilename(), 'pets-v2-onnx.onnx');
  });

  await t.test('a cut network: the upload is said to be broken off, and begins anew with one press', async (t) => {
    await page.goto(`${url}/#/`);
    await page.route('**/v1/datasets?*', (route) => route.abort('connectionreset'));
    await drop(page, [folder], '.drop');
    await page.getByText('pets did not arrive').waitFor({ timeout: 20_000 });
    await page.unroute('**/v1/datasets?*');
    await page.getByRole('button', { name: 'Send it again' }).click();
    await page.waitForURL(/#\/data\/ds_/);
    t.pass('it arrived');
  });

  await t.test('a slow network: how far it is, cancel, and a reload in the middle', async (t) => {
    await page.goto(`${url}/#/`);
    const devtools = await page.context().newCDPSession(page);
    const throttle = (bytes: number) =>
      devtools.send('Network.emulateNetworkConditions', {
        offline: false,
        latency: 20,
        downloadThroughput: bytes,
        uploadThroughput: bytes,
      });
    await devtools.send('Network.enable');
    await throttle(60_000);
    await drop(page, [folder], '.drop');
    await page.getByText('Sending pets').waitFor();
    await page.getByRole('button', { name: 'Cancel the upload' }).click();
    await page.getByText('Sending pets').waitFor({ state: 'detached' });
    await drop(page, [folder], '.drop');
    await page.getByText('Sending pets').waitFor();
    await page.waitForTimeout(500); // it is being kept meanwhile
    const before = (await new Graft({ url }).datasets.list().all()).length;
    await page.reload();
    await throttle(-1);
    await page.getByText(/The upload of pets was interrupted/).waitFor();
    await page.getByRole('button', { name: 'Send it again' }).click();
    await page.waitForURL(/#\/data\/ds_/);
    t.ok((await new Graft({ url }).datasets.list().all()).length > before);
    await devtools.detach();
  });

  await t.test('photos are sorted by hand: taken with the camera, and pasted', async (t) => {
    await page.goto(`${url}/#/collect`);
    const [one, two] = [page.locator('.drop.class').nth(0), page.locator('.drop.class').nth(1)];
    await one.locator('.className').fill('seen');
    await one.getByRole('button', { name: 'Camera' }).click();
    const hold = one.getByRole('button', { name: 'Hold to take photos' });
    await one.locator('.burst .primary:enabled').waitFor();
    await hold.hover();
    await page.mouse.down();
    await one.getByText('5 photos').waitFor();
    await page.mouse.up();
    await two.locator('.className').fill('pasted');
    for (let n = 0; n < 5; n += 1) {
      await page.evaluate(`(${PASTE})(${n})`);
      await two.getByText(n === 0 ? '1 photo' : `${n + 1} photos`).waitFor();
    }
    await page.getByLabel('Name of the data set').fill('by hand');
    await page.getByRole('button', { name: 'Use these photos' }).click();
    await page.waitForURL(/#\/data\/ds_/);
    await page.getByRole('heading', { name: 'by hand' }).waitFor();
    t.match(await page.locator('.classList').innerText(), /pasted\s+5\s+seen\s+\d/);
  });

  await t.test('no photos at hand: Graft draws some, and goes the whole way', async (t) => {
    await page.goto(`${url}/#/`);
    await page.getByRole('button', { name: /Let Graft draw some/ }).click();
    await page.waitForURL(/#\/jobs\//, { timeout: 30_000 });
    await ready(page);
    await page.getByRole('link', { name: 'Try it' }).click();
    await page.locator('.thumbs.large .thumb').first().click();
    await best(page);
    t.match(await page.locator('h1').innerText(), /drawn-photos/);
  });

  await t.test('which backbone suits is a table, and from there one trains with the best', async (t) => {
    const graft = new Graft({ url });
    const { id } = (await graft.datasets.list().all()).find(({ name }) => name === 'pets')!;
    await page.goto(`${url}/#/jobs/${(await graft.backbones.recommend(id)).id}`);
    await page.getByRole('row', { name: /rootstock_s/ }).waitFor({ timeout: 60_000 });
    t.match(await page.getByRole('row', { name: /rootstock_s/ }).innerText(), /\d %\s+\d+ to \d+ %\s+\d/);
    await page.getByRole('link', { name: 'Train with rootstock_s' }).click();
    await page.waitForURL(/#\/data\/ds_.*\/rootstock_s/);
    await page.locator('select#backbone option[value=rootstock_s]:checked').waitFor({ state: 'attached' });
  });

  await t.test('a backbone is pulled; where nobody answers, one hears why', async (t) => {
    await page.goto(`${url}/#/backbones`);
    await page.getByRole('button', { name: 'Pull' }).first().click();
    await page.getByRole('link', { name: 'It could not be pulled: see why' }).click({ timeout: 30_000 });
    await page.getByRole('alert').getByText('could not be fetched').waitFor();
    t.match(await page.getByRole('alert').innerText(), /Or name a mirror/);
  });

  await t.test('the server is restarted in the middle of training', async (t) => {
    const { port } = new URL(url);
    const dataset = (await new Graft({ url }).datasets.list().all()).find(({ name }) => name === 'pets');
    const job = await new Graft({ url }).jobs.create({
      dataset: dataset!.id,
      model: 'slow',
      hyperparameters: { augmentation: { copies: 6 } },
    });
    await page.goto(`${url}/#/jobs/${job.id}`);
    await page.locator('.phases').waitFor();
    service.server.kill('SIGKILL');
    await once(service.server, 'exit');
    await page.getByText('Graft does not answer at the moment').waitFor();
    await service.startServer({ PORT: port });
    await ready(page);
    t.pass('the page went on by itself');
  });

  t.same(faults, { policy: [], foreign: [], errors: [] }, 'nothing that a page must not do');
  await page.context().close();
});

t.test('with a key: it is asked for, stays in the tab, and the calls that the page shows work', async (t) => {
  const sha256 = createHash('sha256').update(KEY).digest('hex');
  const service = await serviceForTest(t, { env: { API_KEYS: `default:${sha256}:read+train+predict` } });
  const { url } = service;
  const { page, faults } = await openPage(browser, url);
  await page.goto(url);
  await page.getByText('This service wants an API key.').waitFor();
  await page.getByLabel('API key').fill('wrong');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByText('This API key is not known.').waitFor();
  await page.goto('about:blank');
  await page.goto(`${url}/#key=${KEY}`);
  await page.locator('.hero').waitFor();
  t.equal(page.url(), `${url}/#/`, 'the key is not left in the address');
  await drop(page, [folder], '.hero');
  await page.waitForURL(/#\/data\/ds_/);
  await loaded(page, '.strip img');
  await page.getByRole('button', { name: 'Train', exact: true }).click();
  await ready(page);
  await page.getByRole('link', { name: 'Try it' }).click();
  await page.locator('main input[type=file]').first().setInputFiles(photo);
  await best(page);
  await page.reload();
  await page.getByRole('heading', { name: 'pets' }).waitFor();
  await page.getByRole('link', { name: 'Backbones' }).click();
  await page.getByText('with a key of the scope operator').waitFor();
  await page.goto(`${url}/#/models/pets/versions`);
  await page.getByRole('button', { name: 'Promote' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Promote' }).click();
  await page.getByText(/needs a key with the scope `admin`/).waitFor();
  await page.getByRole('button', { name: 'Cancel' }).click();

  const calls = callsOf({ base: `${url}/`, model: 'pets', hasKey: true });
  await page.goto(`${url}/#/models/pets/use`);
  for (const { id, text } of calls)
    t.equal(await page.locator(`#call-${id}`).innerText(), text, `${id} as it is shown`);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByText('This service wants an API key.').waitFor();
  t.same(faults, { policy: [], foreign: [], errors: [] }, 'nothing that a page must not do');
  await page.context().close();

  const home = join(dirname(photo), 'calls');
  mkdirSync(home, { recursive: true });
  copyFileSync(photo, join(home, 'photo.jpg'));
  for (const call of calls)
    await t.test(`the call for ${call.title}`, { skip: await whyNot(call) }, async (t) =>
      t.match(await runCall(call, home), /label.*score/s),
    );
});

/** Why a call cannot be tried here; false: it can. */
async function whyNot({ id }: Call): Promise<string | false> {
  if (id === 'curl') return existsSync('/usr/bin/curl') ? false : 'there is no curl here';
  if (id === 'javascript') return false;
  const there = await promisify(execFile)('python3', ['-c', 'import requests']).then(
    () => true,
    () => false,
  );
  return there ? false : 'there is no Python with requests here';
}

/** Run a call as it stands, with the key in the environment. @returns what it prints */
async function runCall({ id, text }: Call, cwd: string): Promise<string> {
  const env = { ...process.env, NODE_OPTIONS: '', GRAFT_KEY: KEY };
  const run = promisify(execFile);
  if (id === 'curl') return (await run('bash', ['-c', text], { cwd, env })).stdout;
  const file = join(cwd, id === 'python' ? 'call.py' : 'call.mjs');
  writeFileSync(file, text);
  return (await run(id === 'python' ? 'python3' : process.execPath, [file], { cwd, env })).stdout;
}
