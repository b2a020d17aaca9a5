/** A worker and its job process are killed (SIGKILL) in the middle of extraction and of training; another takes over. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Job } from '../../src/schemas/jobs.js';
import { send, until } from '../helpers/http.js';
import { randomFrom, submit } from '../helpers/photos.js';
import { childrenOf, lives } from '../helpers/processes.js';
import { atLeast, atMost, type Figure, type RowOptions } from './figure.js';
import { type Fleet, NOTHING_WAITS, withFleet } from './helpers/fleet.js';
import { slow, smallDataset } from './helpers/jobs.js';
import { percentile } from './helpers/statistics.js';

export const name = "A dead worker's job resumes fast";
export const goal = 'p95 at most 10 s; at most one batch of 16 images is done twice';

const BATCH = 16;
/** Adam for so long that the kill comes before its end. */
const LONG_TRAINING = {
  head: 'mlp' as const,
  hyperparameters: { optimizer: 'adam' as const, epochs: 10_000, early_stopping: 0, hidden_units: 64 },
};

export async function run({ long, seed, log }: RowOptions): Promise<Figure[]> {
  if (!long) {
    log('its short form is "kill -9 of the worker" in test/flows/jobs.test.ts');
    return [];
  }
  const random = randomFrom(seed);
  return withFleet({ workers: 2, env: NOTHING_WAITS }, async (fleet) => {
    const dataset = await smallDataset(fleet, 150);
    const seconds: number[] = [];
    const twice: number[] = [];
    const phases = ['extracting', 'training'] as const;
    for (let round = 0; round < 24; round += 1) {
      const phase = phases[round % 2]!;
      const settings = phase === 'extracting' ? slow() : LONG_TRAINING;
      const job = await submit(fleet, { ...settings, dataset: dataset.id, model: `resumed-${round}` });
      const started = await fleet.until(job.id, (now) => now.phase === phase && (now.examples?.done ?? 0) >= 32);
      if (phase === 'extracting') await sleep(random() * 1500);
      else await sleep(random() * 500);
      const { worker, children } = await busy(fleet);
      const before = phase === 'extracting' ? await fleet.job(job.id) : started;
      const killed = performance.now();
      await fleet.kill(worker);
      const resumed = await fleet.until(
        job.id,
        (now) =>
          now.attempt > 1 && (now.phase === phase || now.phase === 'training') && now.examples !== null && known(now),
      );
      seconds.push((performance.now() - killed) / 1000);
      twice.push(Math.max(0, before.examples!.done - resumed.examples!.cached));
      if (children.some(lives)) throw new Error('The job process outlived its worker.');
      log(
        `${phase}: ${seconds.at(-1)!.toFixed(1)} s; ${before.examples!.done} images were done, ${resumed.examples!.cached} kept`,
      );
      await send(fleet.url, `/v1/jobs/${job.id}/cancel`, { method: 'POST' });
      await fleet.ended(job.id);
      await fleet.startWorker();
    }
    return [
      atLeast('kills', seconds.length, 20),
      atMost('p95 to resume', percentile(seconds, 0.95), 10, 's'),
      atMost('median to resume', percentile(seconds, 0.5), 10, 's'),
      atMost('images done twice, most', Math.max(...twice), BATCH),
    ];
  });
}

/** Whether the cache has been asked: then an attempt is at work. */
function known({ examples: images }: Job): boolean {
  return images !== null && images.total > 0;
}

async function busy(fleet: Fleet) {
  return until(
    () => {
      const worker = fleet.workers.find(({ pid }) => childrenOf(pid!).length > 0);
      return worker && { worker, children: childrenOf(worker.pid!) };
    },
    { what: 'a worker with a job' },
  );
}
