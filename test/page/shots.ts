/**
 * Screenshots of every view, light and dark, wide and narrow, of a service that has drawn photos in it:
 * `npm run page:shots -- [FOLDER]`, by default `page-shots/`. Look at them.
 */
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { NO_BROWSER } from '../helpers/browser.js';
import { launchBrowser, openPage } from '../helpers/page.js';
import { withService } from '../helpers/service.js';
import { EMPTY_VIEWS, fillService, KEY_VIEWS, show, type View } from './views.js';

const SIZES = { wide: { width: 1400, height: 900 }, narrow: { width: 390, height: 844 } };

if (NO_BROWSER) {
  console.error(`No screenshots: ${NO_BROWSER}.`);
  process.exit(1);
}
const folder = resolve(process.env.INIT_CWD ?? '.', process.argv[2] ?? 'page-shots');
mkdirSync(folder, { recursive: true });
const browser = await launchBrowser();

await withService({}, async ({ url }) => {
  await shoot(url, EMPTY_VIEWS);
  await shoot(url, await fillService(url));
});
await withService({ env: { API_KEYS: `default:${'0'.repeat(64)}` } }, ({ url }) => shoot(url, KEY_VIEWS));
await browser.close();
console.log(`Screenshots lie in ${folder}`);

async function shoot(url: string, views: View[]): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const [size, viewport] of Object.entries(SIZES)) {
      const { page, faults } = await openPage(browser, url, { colorScheme, viewport });
      for (const view of views) {
        await show(page, url, view);
        await page.screenshot({ path: join(folder, `${view.name}-${size}-${colorScheme}.png`), fullPage: true });
      }
      for (const fault of Object.values(faults).flat()) console.error(fault);
      await page.context().close();
    }
  }
}
