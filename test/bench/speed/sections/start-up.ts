import { readFileSync } from 'node:fs';
import { realPhotos } from '../photos.js';
import { summary } from '../rounds.js';
import type { Section } from '../section.js';
import { withService } from '../service.js';
import { trainModel } from '../train-model.js';

/** From starting the server's process to its first prediction, the model and its backbone being there already. */
export const startUp: Section = {
  name: 'start-up',
  run: ({ models, rounds }) =>
    withService({ models }, async (service) => {
      const model = await trainModel(service);
      const body = new Uint8Array(readFileSync(realPhotos(1)[0]!));
      const seconds: number[] = [];
      for (let round = 0; round < rounds; round += 1) {
        const began = performance.now();
        const { child, url } = await service.startServer();
        const answer = await fetch(`${url}/v1/models/${model}/predict`, { method: 'POST', body });
        if (answer.status !== 200) throw new Error(await answer.text());
        seconds.push((performance.now() - began) / 1000);
        const ended = new Promise((resolve) => child.once('exit', resolve));
        child.kill('SIGKILL');
        await ended;
      }
      return [
        {
          name: 'start-up to first prediction, backbone loaded',
          ...summary(seconds),
          unit: 's',
          goal: { atMost: 2 },
          note: 'a new server process; Redis runs',
        },
      ];
    }),
};
