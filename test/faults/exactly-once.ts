/**
 * Two workers are made to run the same jobs: one is stopped (SIGSTOP) past the lock, alone or with its job processes, and
 * goes on (SIGCONT) while the other runs them, too. And job processes are killed while they publish.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Job, JobEvent } from '../../src/schemas/jobs.js';
import { until } from '../helpers/http.js';
import { randomFrom, submit } from '../helpers/photos.js';
import { childrenOf, signal } from '../helpers/processes.js';
import { atLeast, exactly, type Figure, type RowOptions } from './figure.js';
import { audit } from './helpers/audit.js';
import { type Fleet, NOTHING_WAITS, withFleet } from './helpers/fleet.js';
import { QUICK, slow, smallDataset } from './helpers/jobs.js';

export const name = 'Runs at least once, publishes exactly once';
export const goal = 'one version a job, whoever runs it and however often';

/** Lock and the two looks for it, and some. */
const PAST_THE_LOCK_MS = 9000;

export async function run({ long, seed, log }: RowOptions): Promise<Figure[]> {
  const random = randomFrom(seed);
  return withFleet(
    { workers: 2, light: !long, env: { ...NOTHING_WAITS, WORKER_CONCURRENCY: '2', JOB_ATTEMPTS: '10' } },
    async (fleet) => {
      const dataset = await smallDataset(fleet, long ? 100 : 15);
      const jobs: Job[] = [];
      let twice = 0;
      const [wanted, rounds] = long ? [20, 20] : [1, 3];
      for (let round = 0; round < rounds && twice < wanted; round += 1) {
        const [stopped] = fleet.workers;
        const batch: Job[] = [];
        for (let n = 0; n < (long ? 4 : 2); n += 1) {
          batch.push(await submit(fleet, { ...slow(), dataset: dataset.id, model: `model-${round}-${n}` }));
        }
        jobs.push(...batch);
        await until(async () => childrenOf(stopped!.pid!).length > 0, { what: 'a job of that worker' });
        await sleep(random() * 1500);
        // Alone: its job processes go on and publish while the other worker starts the jobs anew. With them: they publish late.
        const frozen = round % 2 === 0 ? [stopped!.pid!] : [stopped!.pid!, ...childrenOf(stopped!.pid!)];
        for (const pid of frozen) signal(pid, 'SIGSTOP');
        await sleep(PAST_THE_LOCK_MS);
        for (const pid of frozen) signal(pid, 'SIGCONT');
        for (const { id } of batch) {
          await fleet.ended(id);
          const { data } = await fleet.json<{ data: JobEvent[] }>(`/v1/jobs/${id}/events`);
          if (data.some(({ type }) => type === 'restarted')) twice += 1;
        }
        log(`round ${round + 1}: ${twice} jobs were run by two workers so far`);
      }
      const killed = await killWhilePublishing(fleet, dataset.id, long ? 20 : 1, random, jobs);
      for (const worker of fleet.workers)
        await until(() => childrenOf(worker.pid!).length === 0, { timeoutMs: 30_000 });
      const perJob: number[] = [];
      for (const { id, model } of jobs) {
        const job = await fleet.job(id);
        const { versions } = await fleet.json<{ versions: number[] }>(`/v1/models/${model}`);
        if (job.status !== 'succeeded' || job.version !== versions[0])
          log(`${id}: ${job.status}, versions ${versions}`);
        perJob.push(job.status === 'succeeded' ? versions.length : 0);
      }
      const { torn, garbage } = await audit(fleet.dataDir);
      for (const fault of [...torn, ...garbage].slice(0, 10)) log(fault);
      return [
        exactly('versions per job, most', Math.max(...perJob), 1),
        exactly('versions per job, least', Math.min(...perJob), 1),
        atLeast('jobs that two workers ran', twice, wanted),
        atLeast('kills while publishing', killed, long ? 20 : 1),
        exactly('torn', torn.length, 0),
        exactly('files without an owner', garbage.length, 0),
      ];
    },
  );
}

/** Kill job processes at random moments of the last phases; their next attempts must publish under the same number. */
async function killWhilePublishing(
  fleet: Fleet,
  dataset: string,
  wanted: number,
  random: () => number,
  jobs: Job[],
): Promise<number> {
  let killed = 0;
  for (let n = 0; killed < wanted; n += 1) {
    const job = await submit(fleet, { ...QUICK, dataset, model: `killed-${n}` });
    jobs.push(job);
    let last = 0;
    for (let current = job; current.finished_at === null; current = await fleet.job(job.id)) {
      const late = current.phase === 'evaluating' || current.phase === 'publishing';
      if (late && current.attempt > last && current.attempt < 4) {
        last = current.attempt;
        await sleep(random() * 60);
        const children = fleet.workers.flatMap((worker) => childrenOf(worker.pid!));
        for (const child of children) signal(child, 'SIGKILL');
        if (children.length > 0) killed += 1;
      }
      await sleep(5);
    }
    if (n > wanted * 5) throw new Error('The moment of publishing was hardly ever met.');
  }
  return killed;
}
