import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { withExpected } from '../load.js';
import { realPhotos } from '../photos.js';
import { quantile, summary } from '../rounds.js';
import type { Section } from '../section.js';
import { withService } from '../service.js';
import { trainModel } from '../train-model.js';

/** What is left of a lone request's latency when decoding and the backbone's pass are taken off, as the answer tells them. */
export const overhead: Section = {
  name: 'overhead',
  run: ({ models, client, rounds }) =>
    withService({ models }, async (service) => {
      const model = await trainModel(service);
      const photos = realPhotos(200).map((photo) => ({ path: `/v1/models/${model}/predict`, photo }));
      const requests = await withExpected(client, service.port, photos);
      const empty = await emptyServer();
      const [medians, floor]: [number[], number[]] = [[], []];
      for (let round = 0; round < rounds; round += 1) {
        const load = { port: service.port, requests, concurrency: 1, seconds: 3 };
        const { latencies, timings } = await client.run(load);
        const bare = await client.run({ ...load, port: empty.port, requests: photos, seconds: 1 });
        floor.push(quantile(bare.latencies, 0.5));
        medians.push(
          quantile(
            latencies.map((ms, i) => ms - timings.decode[i]! - timings.inference[i]!),
            0.5,
          ),
        );
      }
      empty.close();
      return [
        {
          name: 'server time outside decode and backbone, per request, concurrency 1',
          ...summary(medians),
          unit: 'ms',
          goal: { atMost: 1 },
          note: "median of requests; the client's own time and the loopback are in it",
        },
        {
          name: 'an empty node:http server that reads the same photos, concurrency 1',
          ...summary(floor),
          unit: 'ms',
          note: 'how much of the line above no service in Node can be without',
        },
      ];
    }),
};

async function emptyServer(): Promise<{ port: number; close(): void }> {
  const server = createServer((request, response) => {
    request.resume().on('end', () => response.end('[{"label":"none"}]'));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  return { port: (server.address() as AddressInfo).port, close };
}
