import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { LoadResult } from '../load.js';
import { withExpected } from '../load.js';
import { realPhotos } from '../photos.js';
import { quantile, summary } from '../rounds.js';
import type { Section } from '../section.js';
import { BACKBONE, type BenchService, withService } from '../service.js';
import { trainModel } from '../train-model.js';

/** What a lone request costs beside decoding and the backbone's pass: by the server's clock, and as its client sees it. */
export const overhead: Section = {
  name: 'overhead',
  run: ({ models, client, rounds }) =>
    withService({ models }, async (service) => {
      const model = await trainModel(service);
      const photos = realPhotos(200).map((photo) => ({ path: `/v1/models/${model}/predict`, photo }));
      const requests = await withExpected(client, service.port, photos);
      const bare = fork(join(import.meta.dirname, '..', 'bare-server.js'), [models, BACKBONE]);
      try {
        const [port] = (await once(bare, 'message')) as [number];
        const bareRequests = await withExpected(client, port, photos);
        const [within, seen, floor]: [number[], number[], number[]] = [[], [], []];
        for (let round = 0; round < rounds; round += 1) {
          const load = { concurrency: 1, seconds: 3 };
          const before = await clock(service);
          const ours = await client.run({ ...load, port: service.port, requests });
          const after = await clock(service);
          const whole = (1000 * (after.seconds - before.seconds)) / (after.requests - before.requests);
          within.push(whole - mean(ours.timings.decode) - mean(ours.timings.inference));
          seen.push(rest(ours));
          floor.push(rest(await client.run({ ...load, port, requests: bareRequests })));
        }
        return [
          {
            name: 'server time outside decode and backbone, per request, concurrency 1',
            ...summary(within),
            unit: 'ms',
            goal: { atMost: 1 },
            note: 'mean, by the metrics of the service: from its headers to the end of its answer',
          },
          {
            name: 'the same as the client sees it',
            ...summary(seen),
            unit: 'ms',
            note: "median; the client's own time and the loopback are in it",
          },
          {
            name: 'the same of a bare node:http server that only decodes and embeds',
            ...summary(floor),
            unit: 'ms',
            note: 'how much of the line above no service in Node can be without',
          },
        ];
      } finally {
        bare.kill();
      }
    }),
};

/** Predictions answered so far, and the seconds that took in all. */
async function clock({ url }: BenchService): Promise<{ seconds: number; requests: number }> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const value = (what: string) => {
    const lines = text.split('\n').filter((line) => line.startsWith(`graft_http_request_seconds_${what}{`));
    return Number(
      lines
        .find((line) => line.includes('/predict"'))!
        .split(' ')
        .at(-1),
    );
  };
  return { seconds: value('sum'), requests: value('count') };
}

function mean(values: number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Median of what is left of a latency without decoding and the pass. */
function rest({ latencies, timings }: LoadResult): number {
  return quantile(
    latencies.map((ms, i) => ms - timings.decode[i]! - timings.inference[i]!),
    0.5,
  );
}
