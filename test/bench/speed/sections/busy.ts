import type { Job } from '../../../../src/schemas/jobs.js';
import { submit, upload } from '../../../helpers/photos.js';
import { withExpected } from '../load.js';
import { realPhotos } from '../photos.js';
import { quantile, ratios, summary } from '../rounds.js';
import type { Section } from '../section.js';
import { withService } from '../service.js';
import { labelledPhotos, trainModel } from '../train-model.js';

const SECONDS = 4;

/** Predictions alone and beside a fine-tune on the same cores. The features are varied each time, so that none is cached. */
export const busy: Section = {
  name: 'busy',
  run: ({ models, client, rounds }) =>
    withService({ models }, async (service) => {
      const model = await trainModel(service);
      const dataset = await upload(service, labelledPhotos('clothing', 'train'));
      const photos = realPhotos(200).map((photo) => ({ path: `/v1/models/${model}/predict`, photo }));
      const requests = await withExpected(client, service.port, photos);
      const results = new Map<string, number[]>();
      const note = (name: string, value: number) => results.set(name, [...(results.get(name) ?? []), value]);
      const load = { port: service.port, requests, seconds: SECONDS };
      await client.run({ ...load, concurrency: 8 });
      for (let round = 0; round < rounds; round += 1) {
        for (const concurrency of [1, 8]) {
          const { latencies, perSecond } = await client.run({ ...load, concurrency });
          note(`idle p99 ${concurrency}`, quantile(latencies, 0.99));
          note(`idle rate ${concurrency}`, perSecond);
        }
        const augmentation = { flip: true, copies: 10, rotation: 5 + round };
        const settings = { dataset: dataset.id, model: 'busy', head: 'linear' as const, seed: round };
        const { id } = await submit(service, { ...settings, hyperparameters: { augmentation } });
        const computed = async () => {
          const { examples: images } = await service.json<Job>(`/v1/jobs/${id}`);
          return images ? images.done - images.cached : 0;
        };
        while ((await computed()) === 0) await new Promise((resolve) => setTimeout(resolve, 100));
        for (const concurrency of [1, 8]) {
          const before = await computed();
          const { latencies, perSecond } = await client.run({ ...load, concurrency });
          note(`busy p99 ${concurrency}`, quantile(latencies, 0.99));
          note(`busy rate ${concurrency}`, perSecond);
          note(`advance ${concurrency}`, ((await computed()) - before) / SECONDS);
        }
        await service.json(`/v1/jobs/${id}/cancel`, { method: 'POST', status: 202 });
        await service.ended(id);
      }
      return [1, 8].flatMap((concurrency) => [
        {
          name: `predictions while a fine-tune runs, concurrency ${concurrency}: p99 against idle`,
          ...summary(ratios(results.get(`busy p99 ${concurrency}`)!, results.get(`idle p99 ${concurrency}`)!)),
          unit: '×' as const,
          goal: { atMost: 2 },
        },
        {
          name: `the fine-tune beside them, concurrency ${concurrency}: images per second`,
          ...summary(results.get(`advance ${concurrency}`)!),
          unit: '/s' as const,
          goal: { atLeast: 0.1 },
          note: 'it advances',
        },
        {
          name: `predictions while a fine-tune runs, concurrency ${concurrency}: throughput against idle`,
          ...summary(ratios(results.get(`busy rate ${concurrency}`)!, results.get(`idle rate ${concurrency}`)!)),
          unit: '×' as const,
        },
      ]);
    }),
};
