/** A job is cancelled at random moments of its life: before it starts, while it computes, while it publishes. */
import { setTimeout as sleep } from 'node:timers/promises';
import { send, until } from '../helpers/http.js';
import { randomFrom, submit } from '../helpers/photos.js';
import { childrenOf } from '../helpers/processes.js';
import { atLeast, atMost, exactly, type Figure, type RowOptions } from './figure.js';
import { auditAtRest } from './helpers/audit.js';
import { NOTHING_WAITS, withFleet } from './helpers/fleet.js';
import { QUICK, slow, smallDataset } from './helpers/jobs.js';
import { percentile } from './helpers/statistics.js';

export const name = 'Cancel works while computing';
export const goal = 'p95 at most 2 s, and nothing stays behind';

export async function run({ long, seed, log }: RowOptions): Promise<Figure[]> {
  const random = randomFrom(seed);
  return withFleet({ light: !long, env: NOTHING_WAITS }, async (fleet) => {
    const dataset = await smallDataset(fleet, long ? 60 : 6);
    const whole = await submit(fleet, { ...slow(), dataset: dataset.id, model: 'whole' });
    const { started_at, finished_at, created_at } = await fleet.ended(whole.id);
    const spanMs = Date.parse(finished_at!) - Date.parse(created_at);
    log(
      `a job that nobody cancels takes ${spanMs} ms, from its start ${Date.parse(finished_at!) - Date.parse(started_at!)} ms`,
    );
    const seconds: number[] = [];
    const statuses = new Map<string, number>();
    const moments = long ? 20 : 2;
    for (let n = 0; n < moments; n += 1) {
      const job = await submit(fleet, { ...slow(), dataset: dataset.id, model: `cancelled-${n}` });
      await sleep(((n + random()) / moments) * spanMs);
      const began = performance.now();
      const { status, text } = await send(fleet.url, `/v1/jobs/${job.id}/cancel`, { method: 'POST' });
      if (status !== 202 && status !== 409) throw new Error(`${status} ${text}`);
      const ended = await until(async () => {
        const now = await fleet.job(job.id);
        return now.finished_at !== null && now;
      });
      seconds.push((performance.now() - began) / 1000);
      statuses.set(ended.status, (statuses.get(ended.status) ?? 0) + 1);
      log(`after ${seconds.at(-1)!.toFixed(2)} s: ${ended.status} at ${ended.progress} (${status})`);
      await until(() => childrenOf(fleet.workers[0]!.pid!).length === 0, { timeoutMs: 5000 }).catch(() => undefined);
    }
    const orphans = childrenOf(fleet.workers[0]!.pid!).length;
    // The worker has put everything away when it has done another job.
    await fleet.ended((await submit(fleet, { ...QUICK, dataset: dataset.id, model: 'after' })).id);
    const found = await auditAtRest(fleet.dataDir);
    for (const fault of [...found.torn, ...found.temporary, ...found.garbage].slice(0, 10)) log(fault);
    return [
      atLeast('cancelled', statuses.get('cancelled') ?? 0, Math.floor(moments / 2), 'jobs'),
      // In the short form other tests share the cores.
      atMost('p95', percentile(seconds, 0.95), long ? 2 : 15, 's'),
      exactly('processes left', orphans, 0),
      exactly('stray files', found.temporary.length + found.garbage.length, 0),
      exactly('half versions', found.torn.length, 0),
    ];
  });
}
