/**
 * A client submits jobs, each under an Idempotency-Key and again until it is acknowledged, while server, workers and Redis
 * are killed (SIGKILL) at random and Redis is wiped once. In the end every acknowledged id must have succeeded.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Job } from '../../src/schemas/jobs.js';
import { inParallel, until } from '../helpers/http.js';
import { randomFrom } from '../helpers/photos.js';
import { atLeast, exactly, type Figure, type RowOptions } from './figure.js';
import { type Fleet, withFleet } from './helpers/fleet.js';
import { QUICK, smallDataset } from './helpers/jobs.js';

export const name = 'A 202 is never lost';
export const goal = 'whatever is killed, every acknowledged job ends as it should, once';

export async function run({ long, seed, log }: RowOptions): Promise<Figure[]> {
  const [wantedJobs, wantedKills] = long ? [500, 100] : [6, 3];
  const random = randomFrom(seed);
  return withFleet({ workers: 1, light: !long, env: { WORKER_CONCURRENCY: '2' } }, async (fleet) => {
    const dataset = await smallDataset(fleet, 5);
    const acknowledged = new Map<string, string>();
    let kills = 0;
    let wiped = false;
    const submitting = submitAll(fleet, wantedJobs, dataset.id, acknowledged, () => kills / wantedKills);
    const end = { ended: false };
    void submitting.then(() => {
      end.ended = true;
    });
    while (kills < wantedKills) {
      await sleep(100 + random() * (long ? 1500 : 500));
      const victim = long ? Math.floor(random() * 3) : kills; // in the short form each once
      if (victim === 0) await fleet.killRedis().then(() => fleet.startRedis());
      else if (victim === 1) await fleet.kill(fleet.server).then(() => fleet.startServer());
      else await fleet.kill(fleet.workers[0]!).then(() => fleet.startWorker());
      kills += 1;
      if (!wiped && kills >= wantedKills / 2) {
        await fleet.wipeRedis();
        wiped = true;
        log(`Redis was wiped after ${kills} kills, with ${acknowledged.size} jobs acknowledged`);
      }
      if (kills % 20 === 0) log(`${kills} kills, ${acknowledged.size} jobs acknowledged`);
    }
    await submitting;
    const outcomes = new Map<string, Job>();
    for (const id of new Set(acknowledged.values())) {
      outcomes.set(id, await fleet.ended(id, 600_000).catch(() => fleet.job(id)));
    }
    const lost = [...outcomes.values()].filter(({ status }) => status !== 'succeeded');
    for (const { id, status, error } of lost.slice(0, 5)) log(`${id} is ${status}: ${error?.message}`);
    const { versions } = await fleet.json<{ versions: number[] }>('/v1/models/kept');
    return [
      exactly('lost', lost.length, 0, 'jobs'),
      atLeast('acknowledged', outcomes.size, wantedJobs, 'jobs'),
      atLeast('kills', kills, wantedKills),
      exactly('ids given to one Idempotency-Key, most', mostIds(acknowledged), 1),
      exactly('versions beyond one a job', versions.length - outcomes.size, 0),
    ];
  });
}

/** Submit at the pace of the kills, so that jobs come all the while. */
async function submitAll(
  fleet: Fleet,
  count: number,
  dataset: string,
  acknowledged: Map<string, string>,
  share: () => number,
): Promise<void> {
  const keys = Array.from({ length: count }, (_, n) => `key ${n}`);
  const body = JSON.stringify({ ...QUICK, dataset, model: 'kept' });
  await inParallel(keys, 4, async (key) => {
    const itsTurn = () => acknowledged.size <= share() * count || share() >= 1;
    await until(itsTurn, { timeoutMs: 30 * 60_000, what: `the turn of ${key}`, state: () => acknowledged.size });
    const headers = { 'content-type': 'application/json', 'idempotency-key': key };
    const deadline = Date.now() + 120_000;
    for (let answers = 0; answers < 2; ) {
      // Asked twice, as a client would that did not see the first answer: it must be the same job.
      const { status, text } = await fleet.send('/v1/jobs', { method: 'POST', headers, body });
      if (status === 202) {
        answers += 1;
        const { id } = JSON.parse(text) as Job;
        acknowledged.set(answers === 1 ? key : `${key} again`, id);
      } else if ((status === 0 || status === 503) && Date.now() < deadline) await sleep(50);
      else throw new Error(`${status} ${text}`);
    }
  });
}

function mostIds(acknowledged: Map<string, string>): number {
  const keys = [...acknowledged.keys()].filter((key) => !key.endsWith('again'));
  return Math.max(...keys.map((key) => new Set([acknowledged.get(key), acknowledged.get(`${key} again`)]).size));
}
