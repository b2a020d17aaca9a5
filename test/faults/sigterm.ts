/**
 * The server gets SIGTERM while uploads arrive slowly, predictions come over kept connections, and a client follows a job;
 * the worker gets it while it trains. Whoever was let in gets an answer.
 */
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { zip } from '../helpers/archives.js';
import { photo, photos, randomFrom, submit } from '../helpers/photos.js';
import { serveModel } from '../helpers/serve-model.js';
import { atLeast, atMost, exactly, type Figure, type RowOptions } from './figure.js';
import { auditAtRest } from './helpers/audit.js';
import { type Fleet, withFleet } from './helpers/fleet.js';
import { slow, smallDataset } from './helpers/jobs.js';

export const name = 'SIGTERM is clean';
export const goal = 'no request that was let in is reset, and the process ends soon';

/** How a request ended: its status; 0: reset without an answer; -1: the connection was refused, as it should be. */
type Outcome = number;

export async function run({ long, seed, log }: RowOptions): Promise<Figure[]> {
  const random = randomFrom(seed);
  return withFleet({ light: !long }, async (fleet) => {
    const dataset = await smallDataset(fleet, long ? 60 : 3);
    await serveModel({ dataDir: fleet.dataDir, model: 'served' });
    const picture = await photo(0, 1);
    const archive = zip((await photos(['left', 'right'], 10)).map((file) => ({ ...file, stored: true })));
    const outcomes: { kind: string; outcome: Outcome }[] = [];
    const drains: number[] = [];
    const handed: number[] = [];
    let brokenStreams = 0;
    for (let round = 0; round < (long ? 10 : 1); round += 1) {
      const agent = new Agent({ keepAlive: true, maxSockets: 8 });
      const stop = new AbortController();
      const note = (kind: string) => (outcome: Outcome) => void outcomes.push({ kind, outcome });
      const uploads = [1, 2, 3].map(() =>
        ask(fleet, '/v1/datasets', archive, { slowMs: 1000 + random() * 1500 }).then(note('upload')),
      );
      const predicting = Promise.all(
        [1, 2, 3, 4].map(async () => {
          while (!stop.signal.aborted) {
            const outcome = await ask(fleet, '/v1/models/served/predict', picture, { agent });
            note('prediction')(outcome);
            if (outcome === -1) return;
          }
        }),
      );
      const train = () => submit(fleet, { ...slow(), dataset: dataset.id, model: 'training' });
      let job = await train();
      const following = follow(fleet, job.id);
      await sleep(500 + random() * 400);
      drains.push(await fleet.terminate(fleet.server));
      stop.abort();
      await Promise.all([...uploads, predicting]);
      if (!(await following)) brokenStreams += 1;
      agent.destroy();
      await fleet.startServer();

      if (!long) {
        // Its job may be near its end, and a job process that is killed while it writes leaves that file for a sweep.
        await fleet.ended(job.id);
        job = await train();
      }
      await fleet.until(job.id, ({ status, phase }) => status === 'running' && phase === 'extracting');
      const [worker] = fleet.workers;
      handed.push(await fleet.terminate(worker!));
      await fleet.startWorker();
      const { status } = await fleet.ended(job.id);
      if (status !== 'succeeded') throw new Error(`The job that was handed on ${status}.`);
      log(`the server ended after ${drains.at(-1)!.toFixed(2)} s, the worker after ${handed.at(-1)!.toFixed(2)} s`);
    }
    const { torn, garbage, temporary } = await auditAtRest(fleet.dataDir);
    for (const fault of [...torn, ...garbage, ...temporary].slice(0, 10)) log(fault);
    const count = (kind: string, wanted: (outcome: Outcome) => boolean) =>
      outcomes.filter((request) => request.kind === kind && wanted(request.outcome)).length;
    const statuses = new Map<string, number>();
    for (const { kind, outcome } of outcomes) {
      const key = `${kind} ${outcome}`;
      statuses.set(key, (statuses.get(key) ?? 0) + 1);
    }
    log(JSON.stringify(Object.fromEntries(statuses)));
    return [
      atLeast('requests answered', outcomes.filter(({ outcome }) => outcome > 0).length, long ? 100 : 5),
      exactly(
        'uploads reset',
        count('upload', (outcome) => outcome === 0),
        0,
      ),
      exactly(
        'uploads not 201',
        count('upload', (outcome) => outcome !== 201),
        0,
      ),
      exactly(
        'predictions reset',
        count('prediction', (outcome) => outcome === 0),
        0,
      ),
      exactly(
        'predictions neither 200 nor 503',
        count('prediction', (outcome) => ![200, 503, 0, -1].includes(outcome)),
        0,
      ),
      exactly('event streams broken off', brokenStreams, 0),
      atMost('the server drains in, most', Math.max(...drains), 20, 's'),
      atMost('the worker drains in, most', Math.max(...handed), long ? 5 : 15, 's'),
      exactly('torn or left', torn.length + garbage.length + temporary.length, 0),
    ];
  });
}

/** One POST; `slowMs`: its body takes so long to be sent. */
function ask(
  fleet: Fleet,
  path: string,
  body: Buffer,
  { agent, slowMs = 0 }: { agent?: Agent; slowMs?: number },
): Promise<Outcome> {
  return new Promise((resolve) => {
    const sent = request(
      fleet.url + path,
      { method: 'POST', ...(agent && { agent }), headers: { 'content-length': body.length } },
      (response) => {
        response.resume();
        response.on('end', () => resolve(response.statusCode!));
        response.on('error', () => resolve(0));
      },
    );
    sent.on('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED' ? -1 : 0));
    if (slowMs === 0) return void sent.end(body);
    void (async () => {
      const pieces = 10;
      for (let n = 0; n < pieces; n += 1) {
        sent.write(body.subarray((n * body.length) / pieces, ((n + 1) * body.length) / pieces));
        await sleep(slowMs / pieces);
      }
      sent.end();
    })();
  });
}

/** Follow a job's events. @returns whether the stream was ended in an orderly way */
function follow(fleet: Fleet, id: string): Promise<boolean> {
  return new Promise((resolve) => {
    const sent = request(
      `${fleet.url}/v1/jobs/${id}/events`,
      { headers: { accept: 'text/event-stream' } },
      async (response) => {
        response.resume();
        await Promise.race([once(response, 'end'), once(response, 'error'), once(response, 'aborted')]).catch(
          () => undefined,
        );
        resolve(response.complete);
      },
    );
    sent.on('error', () => resolve(false));
    sent.end();
  });
}
