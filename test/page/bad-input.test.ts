/** What people do wrong, and what goes wrong around them: each a sentence and a way on. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import t from 'tap';
import { Graft } from '../../src/client/index.js';
import { NO_BROWSER } from '../helpers/browser.js';
import { drop, launchBrowser, openPage, petsFolder } from '../helpers/page.js';
import { serviceForTest } from '../helpers/service.js';

if (NO_BROWSER) {
  t.pass('skipped', { skip: NO_BROWSER });
  process.exit(0);
}

const service = await serviceForTest(t, {});
const { url } = service;
const { folder, photo } = await petsFolder(5);
const browser = await launchBrowser({ camera: false });
t.teardown(() => browser.close());
const { page, faults } = await openPage(browser, url);
const home = mkdtempSync(join(tmpdir(), 'graft-bad-'));
t.teardown(() => {
  for (const made of [home, dirname(folder)]) rmSync(made, { recursive: true, force: true });
});
const alert = () => page.getByRole('alert').first().innerText();
const start = async () => {
  await page.goto('about:blank');
  await page.goto(url);
  await page.locator('.drop').waitFor();
};

t.test('files that are no photos', async (t) => {
  await start();
  const other = join(home, 'letter.docx');
  writeFileSync(other, 'not a photo');
  await drop(page, [other, join(home, 'nothing')].slice(0, 1), '.drop');
  await page
    .getByText(/not_an_archive|is no photo|not an archive|did not arrive/i)
    .first()
    .waitFor();
  t.match(await alert(), /Take JPEG|zip|archive/i);
});

t.test('more files than a browser holds', async (t) => {
  await start();
  const many = join(home, 'many');
  mkdirSync(many);
  for (let n = 0; n <= 50_000; n += 1) writeFileSync(join(many, `${n}.jpg`), '');
  await drop(page, [many], '.drop');
  await page.getByText(/too many for a browser/).waitFor({ timeout: 60_000 });
  t.match(await alert(), /Pack the folder as a zip/);
});

t.test('a folder without classes is sorted by hand', async (t) => {
  await start();
  await drop(page, [join(folder, 'cat')].filter(Boolean), '.drop').catch(() => undefined);
  const loose = join(home, 'holiday');
  mkdirSync(loose);
  for (const n of [1, 2, 3]) writeFileSync(join(loose, `${n}.png`), `photo ${n}`);
  await start();
  await drop(page, [loose], '.drop');
  await page.waitForURL(/#\/collect/);
  t.equal(await page.locator('.className').first().inputValue(), 'holiday');
  await page.getByText('Give photos to two classes or more.').waitFor();
  t.ok(await page.getByRole('button', { name: 'Use these photos' }).isDisabled());
});

t.test('an archive that is refused, and what of a folder is not taken', async (t) => {
  await start();
  const zip = join(home, 'broken.zip');
  writeFileSync(zip, 'PK\x03\x04 and nothing more');
  await drop(page, [zip], '.drop');
  await page.getByText('broken.zip did not arrive').waitFor();
  t.match(await alert(), /archive|zip/i);
  await page.getByRole('button', { name: 'Dismiss' }).click();
  writeFileSync(join(folder, 'extra.jpg'), '<html>not found</html>');
  await drop(page, [folder], '.drop');
  await page.waitForURL(/#\/data\/ds_/);
  await page.getByText('Not taken: 1 file').waitFor();
  t.match(await page.locator('.refused').innerText(), /extra\.jpg[\s\S]*(HTML|no label|class)/i);
});

t.test('the camera is refused', async (t) => {
  await page.goto(`${url}/#/collect`);
  await page.getByRole('button', { name: 'Camera' }).first().click();
  await page.getByText(/told not to give this page the camera|no camera here/).waitFor();
  t.match(await page.locator('.drop.class').first().innerText(), /Take or choose a photo/);
});

t.test('a model that was deleted in another tab', async (t) => {
  const graft = new Graft({ url });
  const [dataset] = await graft.datasets.list().all();
  await graft.jobs.wait((await graft.jobs.create({ dataset: dataset!.id, model: 'gone' })).id);
  await page.goto(`${url}/#/models/gone/try`);
  await page.getByRole('heading', { name: 'gone' }).waitFor();
  await graft.models.delete('gone', { force: true });
  await page.locator('main input[type=file]').first().setInputFiles(photo);
  await page.getByText(/There is no model 'gone'/).waitFor();
  await page.goto(`${url}/#/nowhere`);
  await page.getByText('There is nothing at this address.').waitFor();
  t.pass('a sentence each');
});

t.test('a server that is gone', async (t) => {
  await page.goto(`${url}/#/models`);
  await page.getByRole('heading', { name: 'Models' }).waitFor();
  service.server.kill('SIGKILL');
  await page.getByRole('link', { name: 'Data', exact: true }).click();
  await page.getByText('Graft does not answer').waitFor({ timeout: 20_000 });
  t.match(await alert(), /Try again/);
});

t.test('none of it broke the page', async (t) => {
  t.same(faults, { policy: [], foreign: [], errors: [] });
});
