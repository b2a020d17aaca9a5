/** Redis is killed and stays away. Predictions go on, submitting is refused in time, and all goes on when it is back. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Job } from '../../src/schemas/jobs.js';
import { send, until } from '../helpers/http.js';
import { photo, submit } from '../helpers/photos.js';
import { serveModel } from '../helpers/serve-model.js';
import { atLeast, atMost, exactly, type Figure, type RowOptions } from './figure.js';
import { type Fleet, withFleet } from './helpers/fleet.js';
import { QUICK, slow, smallDataset } from './helpers/jobs.js';

export const name = 'Redis away';
export const goal = 'predictions do not notice; a job is refused with 503 in time; all resumes unaided';

/** Of one answer of Redis (2 s), and some for the rest of the request. */
const DEADLINE_S = 3;

export async function run({ long, log }: RowOptions): Promise<Figure[]> {
  return withFleet({ light: !long }, async (fleet) => {
    const dataset = await smallDataset(fleet, long ? 60 : 3);
    await serveModel({ dataDir: fleet.dataDir, model: 'served' });
    const picture = await photo(0, 1);
    const figures: Figure[] = [];
    for (const awayS of long ? [3, 15, 60] : [3]) {
      const running = await submit(fleet, { ...slow(), dataset: dataset.id, model: 'running' });
      const waiting = await submit(fleet, { ...QUICK, dataset: dataset.id, model: 'waiting' });
      const before = await fleet.until(running.id, ({ phase, progress }) => phase === 'extracting' && progress > 0.05);
      const stop = new AbortController();
      const predicting = predictAll(fleet, picture, stop.signal);
      await fleet.killRedis();
      const began = performance.now();
      const submitting: { status: number; seconds: number }[] = [];
      let fell = 0;
      let slowest = 0;
      while (performance.now() - began < awayS * 1000) {
        submitting.push(await timedSubmit(fleet, dataset.id));
        const asked = performance.now();
        const now = await fleet.job(running.id);
        slowest = Math.max(slowest, (performance.now() - asked) / 1000);
        if (now.progress < before.progress) fell += 1;
      }
      await fleet.startRedis();
      const back = performance.now();
      const isTaken = async () => (await timedSubmit(fleet, dataset.id)).status === 202;
      await until(isTaken, { timeoutMs: 60_000, everyMs: 50, what: 'a job that is taken again' });
      const accepts = (performance.now() - back) / 1000;
      const jobs = [await fleet.ended(running.id), await fleet.ended(waiting.id)];
      const resumed =
        Math.max(...jobs.map(({ finished_at }) => Date.parse(finished_at!))) -
        (Date.now() - (performance.now() - back));
      stop.abort();
      const { answered, errors } = await predicting;
      const wrong = submitting.filter(({ status }) => status !== 503).length;
      log(
        `${awayS} s: ${answered} predictions; ${submitting.length} submits refused; accepts after ${accepts.toFixed(1)} s, jobs done after ${(resumed / 1000).toFixed(1)} s`,
      );
      figures.push(
        atLeast(`${awayS} s: predictions`, answered, awayS),
        exactly(`${awayS} s: prediction errors`, errors, 0),
        exactly(`${awayS} s: submits not answered 503`, wrong, 0),
        atMost(`${awayS} s: slowest 503`, Math.max(...submitting.map(({ seconds }) => seconds)), DEADLINE_S, 's'),
        atMost(`${awayS} s: slowest look at a job`, slowest, DEADLINE_S, 's'),
        exactly(`${awayS} s: looks at which progress had fallen`, fell, 0),
        atMost(`${awayS} s: jobs are taken again after`, accepts, 10, 's'),
        exactly(`${awayS} s: jobs that did not succeed`, jobs.filter(({ status }) => status !== 'succeeded').length, 0),
      );
    }
    return figures;
  });
}

async function predictAll(fleet: Fleet, picture: Buffer, signal: AbortSignal) {
  let [answered, errors] = [0, 0];
  while (!signal.aborted) {
    const { status } = await send(fleet.url, '/v1/models/served/predict', { method: 'POST', body: picture });
    answered += 1;
    if (status !== 200) errors += 1;
    await sleep(50);
  }
  return { answered, errors };
}

async function timedSubmit(fleet: Fleet, dataset: string): Promise<{ status: number; seconds: number; job?: Job }> {
  const began = performance.now();
  const { status } = await send(fleet.url, '/v1/jobs', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...QUICK, dataset, model: 'refused' }),
  });
  return { status, seconds: (performance.now() - began) / 1000 };
}
