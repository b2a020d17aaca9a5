/** The process of one job is killed each time it appears; twenty good jobs wait behind it on the only worker. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Job, JobEvent } from '../../src/schemas/jobs.js';
import { submit } from '../helpers/photos.js';
import { childrenOf, signal } from '../helpers/processes.js';
import { atMost, exactly, type Figure, type RowOptions } from './figure.js';
import { type Fleet, NOTHING_WAITS, withFleet } from './helpers/fleet.js';
import { QUICK, slow, smallDataset } from './helpers/jobs.js';

export const name = 'A poison job is contained';
export const goal = 'its attempts are bounded, and the jobs behind it hardly wait';

const ATTEMPTS = 3;

export async function run({ long, log }: RowOptions): Promise<Figure[]> {
  const count = long ? 20 : 2;
  return withFleet({ light: !long, env: { ...NOTHING_WAITS, JOB_ATTEMPTS: String(ATTEMPTS) } }, async (fleet) => {
    const dataset = await smallDataset(fleet, long ? 20 : 3);
    const good = async (prefix: string) => {
      const jobs: Job[] = [];
      for (let n = 0; n < count; n += 1) {
        jobs.push(await submit(fleet, { ...QUICK, dataset: dataset.id, model: `${prefix}-${n}` }));
      }
      return jobs;
    };
    const allEnded = async (jobs: Job[]) => Promise.all(jobs.map(({ id }) => fleet.ended(id, 180_000)));

    await allEnded([await submit(fleet, { ...QUICK, dataset: dataset.id, model: 'first' })]); // features are cached now
    let began = performance.now();
    await allEnded(await good('alone'));
    const alone = (performance.now() - began) / 1000;

    began = performance.now();
    const poison = await submit(fleet, { ...slow(), dataset: dataset.id, model: 'poison' });
    const killing = killEachTime(fleet, poison.id);
    const behind = await allEnded(await good('behind'));
    const delayed = (performance.now() - began) / 1000;
    const failed = await fleet.ended(poison.id);
    const kills = await killing;
    log(`${count} good jobs took ${alone.toFixed(1)} s alone, ${delayed.toFixed(1)} s behind it; ${kills} kills`);
    return [
      exactly('attempts', failed.attempt, ATTEMPTS),
      exactly('it failed as job_crashed', Number(failed.error?.code === 'job_crashed'), 1),
      exactly('good jobs that succeeded', behind.filter(({ status }) => status === 'succeeded').length, count),
      // In the short form other tests share the cores.
      atMost('delay to the last of them', Math.max(0, delayed - alone), long ? 10 : 60, 's'),
    ];
  });
}

/** With one job at a time, the process that is there after its `started` is that job's. */
async function killEachTime(fleet: Fleet, id: string): Promise<number> {
  let kills = 0;
  const deadline = Date.now() + 180_000;
  for (let job = await fleet.job(id); job.finished_at === null; job = await fleet.job(id)) {
    if (Date.now() > deadline) throw new Error(`the poison job did not end; at last: ${JSON.stringify(job)}`);
    const { data } = await fleet.json<{ data: JobEvent[] }>(`/v1/jobs/${id}/events`);
    const starts = data.filter(({ type }) => type === 'started' || type === 'restarted').length;
    const [child] = childrenOf(fleet.workers[0]!.pid!);
    if (starts > kills && child !== undefined) {
      signal(child, 'SIGKILL');
      kills = starts;
    }
    await sleep(20);
  }
  return kills;
}
