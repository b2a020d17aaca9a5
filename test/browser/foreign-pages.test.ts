/** The tries of test/faults/foreign-pages.ts can succeed: a page of the service itself does what foreign ones cannot. */
import t from 'tap';
import type { Dataset } from '../../src/schemas/datasets.js';
import { appForTest } from '../helpers/app.js';
import { zip } from '../helpers/archives.js';
import { browserForTest, NO_BROWSER } from '../helpers/browser.js';
import { attempt } from '../helpers/foreign-pages.js';
import { content, lightFiles } from '../helpers/light-content.js';

t.test('a page of its own reads and changes', { skip: NO_BROWSER }, async (t) => {
  const app = await appForTest(t);
  const archive = zip(lightFiles(['a', 'b'], 3));
  const { id } = await app.json<Dataset>('/v1/datasets', { method: 'POST', body: archive, status: 201 });
  const jobs = async () => (await app.json<{ data: unknown[] }>('/v1/jobs')).data.length;
  const { port } = new URL(await app.app.listen({ host: '127.0.0.1', port: 0 }));
  const browser = await browserForTest(t);
  const page = await browser.newPage();
  const url = `http://127.0.0.1:${port}`;
  await page.route(`${url}/own`, (route) => route.fulfill({ contentType: 'text/html', body: '<!doctype html><body>' }));
  await page.goto(`${url}/own`);
  const target = { url, dataset: id, archive: [...archive], image: [...content(0)] };
  t.match(await attempt(page, 'get-cors', target), id);
  t.equal(await jobs(), 0);
  await attempt(page, 'post-form-no-cors', target);
  t.equal(await jobs(), 1);
});
