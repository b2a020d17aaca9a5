/** Pages of other sites in Chromium, on the machine of someone who runs Graft without keys. */
import type { Dataset } from '../../src/schemas/datasets.js';
import { zip } from '../helpers/archives.js';
import { browserForTest, NO_BROWSER } from '../helpers/browser.js';
import { FOREIGN_NAMES, tryForeignPages } from '../helpers/foreign-pages.js';
import { photos, upload } from '../helpers/photos.js';
import { serveModel } from '../helpers/serve-model.js';
import { withService } from '../helpers/service.js';
import { atLeast, exactly, type Figure, type RowOptions } from './figure.js';

export const name = 'Foreign pages are refused';
export const goal =
  'what other sites try from the browser of whoever runs a service without keys changes and reads nothing';

export async function run({ long, log }: RowOptions): Promise<Figure[]> {
  if (NO_BROWSER) {
    log(NO_BROWSER);
    return [];
  }
  const closing: (() => unknown)[] = [];
  try {
    return await withService({ worker: false, env: { LOG_LEVEL: 'fatal' } }, async (service) => {
      const files = await photos(['a', 'b'], 3);
      const dataset: Dataset = await upload(service, files);
      await serveModel({ dataDir: service.dataDir, model: 'm' });
      const state = async () => {
        const lists = ['/v1/datasets', '/v1/jobs', '/v1/models', '/v1/models/m'];
        return JSON.stringify(await Promise.all(lists.map((path) => service.json(path))));
      };
      const browser = await browserForTest(
        { teardown: (close: () => unknown) => void closing.push(close) },
        FOREIGN_NAMES,
      );
      const target = { dataset: dataset.id, archive: [...zip(files)], image: [...files[0]!.bytes] };
      const port = Number(new URL(service.url).port);
      const { tries, found } = await tryForeignPages({ browser, port, target, state, all: long });
      for (const sentence of found) log(sentence);
      return [atLeast('tries', tries, 30), exactly('that read or changed something', found.length, 0)];
    });
  } finally {
    for (const close of closing) await close();
  }
}
