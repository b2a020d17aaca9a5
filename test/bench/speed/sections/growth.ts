import { withExpected } from '../load.js';
import { realPhotos } from '../photos.js';
import { summary } from '../rounds.js';
import type { Section } from '../section.js';
import { withService } from '../service.js';
import type { Row } from '../table.js';
import { trainModel } from '../train-model.js';

/** Several servers on one data folder, requests dealt out between them: what more processes bring on these cores. */
export const growth: Section = {
  name: 'growth',
  run: ({ models, client, rounds }) =>
    withService({ models }, async (service) => {
      const model = await trainModel(service);
      const photos = realPhotos(200).map((photo) => ({ path: `/v1/models/${model}/predict`, photo }));
      const requests = await withExpected(client, service.port, photos);
      const ports = [service.port];
      const rows: Row[] = [];
      for (const servers of [1, 2, 4]) {
        while (ports.length < servers) ports.push(Number(new URL((await service.startServer()).url).port));
        const rates: number[] = [];
        for (let round = 0; round <= rounds; round += 1) {
          const { perSecond } = await client.run({ port: ports, requests, concurrency: 32, seconds: 3 });
          if (round > 0) rates.push(perSecond);
        }
        rows.push({
          name: `${servers} server process${servers > 1 ? 'es' : ''}, concurrency 32 in all`,
          ...summary(rates),
          unit: '/s',
        });
      }
      return rows;
    }),
};
