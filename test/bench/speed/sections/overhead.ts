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
      const medians: number[] = [];
      for (let round = 0; round < rounds; round += 1) {
        const load = { port: service.port, requests, concurrency: 1, seconds: 3 };
        const { latencies, timings } = await client.run(load);
        medians.push(
          quantile(
            latencies.map((ms, i) => ms - timings.decode[i]! - timings.inference[i]!),
            0.5,
          ),
        );
      }
      return [
        {
          name: 'server time outside decode and backbone, per request, concurrency 1',
          ...summary(medians),
          unit: 'ms',
          goal: { atMost: 1 },
          note: "median of requests; the client's own time and the loopback are in it",
        },
      ];
    }),
};
