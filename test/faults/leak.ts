/** Memory and open files of a server under predictions without end, while versions come. */
import { createHash } from 'node:crypto';
import { newId } from '../../src/ids.js';
import { Registry } from '../../src/registry/registry.js';
import { FileStorage } from '../../src/storage/file-storage.js';
import { form, inParallel, send } from '../helpers/http.js';
import { photo } from '../helpers/photos.js';
import { openDescriptors, residentMiB } from '../helpers/processes.js';
import { serveModel } from '../helpers/serve-model.js';
import { atMost, exactly, type Figure, type RowOptions } from './figure.js';
import { withFleet } from './helpers/fleet.js';
import { slope } from './helpers/statistics.js';

export const name = 'No slow leak';
export const goal = 'memory and descriptors stay where they were';

/** Images of one request. */
const IMAGES = 8;
/** What a real leak of some hundred bytes an image would exceed. */
const MAX_MIB_PER_100K = 32;

export async function run({ long, log }: RowOptions): Promise<Figure[]> {
  if (process.platform !== 'linux') {
    log('memory and descriptors are read from /proc, which only Linux has');
    return [];
  }
  const [predictions, publishes] = long ? [100_000, 200] : [160, 10];
  // A small cache of heads, so that it is full early and heads are dropped as others come.
  return withFleet({ workers: 0, env: { HEAD_CACHE_BYTES: '100000' } }, async (fleet) => {
    const first = await serveModel({ dataDir: fleet.dataDir, model: 'leak' });
    const registry = new Registry({ storage: new FileStorage({ root: fleet.dataDir }) });
    const { version: _version, files: _files, created_at: _at, ...manifest } = first;
    const files = new Map<string, Uint8Array>();
    for (const path of ['head/model.json', 'head/weights.bin'])
      files.set(path, await registry.read('default', first, path));
    const picture = await photo(0, 1);
    const { body, headers } = form(
      Array.from({ length: IMAGES }, (_, n) => ({ name: `f${n}`, value: picture, filename: `${n}.jpg` })),
    );

    const pid = fleet.server.pid!;
    const points: { x: number; y: number }[] = [];
    const rounds = long ? 100 : 20;
    let failed = 0;
    let descriptors = 0;
    for (let round = 0; round < rounds; round += 1) {
      for (
        let n = Math.floor((round * publishes) / rounds);
        n < Math.floor(((round + 1) * publishes) / rounds);
        n += 1
      ) {
        const job = newId('job');
        const digest = createHash('sha256').update(job).digest('hex');
        await registry.publish({
          tenant: 'default',
          job,
          model: 'leak',
          files,
          manifest: { ...manifest, job, digest },
        });
      }
      const requests = Array.from({ length: Math.ceil(predictions / rounds / IMAGES) }, (_, n) => n);
      await inParallel(requests, 4, async () => {
        const { status } = await send(fleet.url, '/v1/models/leak/predict', { method: 'POST', body, headers });
        if (status !== 200) failed += 1;
      });
      points.push({ x: ((round + 1) * predictions) / rounds, y: residentMiB(pid) });
      if (round === rounds / 10) descriptors = openDescriptors(pid);
      if ((round + 1) % (rounds / 10) === 0 && long)
        log(`${points.at(-1)!.x} predictions: ${points.at(-1)!.y.toFixed(0)} MiB, ${openDescriptors(pid)} descriptors`);
    }
    const more = openDescriptors(pid) - descriptors;
    // The first half fills caches and heaps.
    const perPrediction = slope(points.slice(rounds / 2));
    return [
      exactly('predictions that failed', failed, 0),
      // The short form is too short for a slope; its bound is on what it grew by.
      long
        ? atMost('growth per 100,000 predictions, second half', perPrediction * 100_000, MAX_MIB_PER_100K, 'MiB')
        : atMost('growth in the second half', points.at(-1)!.y - points[rounds / 2]!.y, 100, 'MiB'),
      atMost('descriptors more than at the start', more, 5),
    ];
  });
}
