import { readFileSync } from 'node:fs';
import { zip } from '../../helpers/archives.js';
import { form } from '../../helpers/http.js';
import { type LoadClient, withExpected } from '../speed/load.js';
import { realPhotos } from '../speed/photos.js';
import { labelledPhotos } from '../speed/train-model.js';
import type { RunningSubject, Subject } from './subject.js';

/** One figure of a subject, taken again in each round. */
export interface Measure {
  unit: string;
  better: 'more' | 'less';
  prepare(subject: Subject, client: LoadClient): Promise<{ run(): Promise<number>; close(): Promise<void> }>;
}

const CONCURRENCY = 32;
const SECONDS = 3;
const PHOTOS = 200;
const TRAINED = 1000;
const TRAINING_MS = 300_000;

/** Predictions a second at concurrency 32. */
export const throughput: Measure = {
  unit: '/s',
  better: 'more',
  async prepare(subject, client) {
    const service = await subject.start();
    const { model } = await train(service, labelledPhotos('clothing', 'validation'));
    const plain = realPhotos(PHOTOS).map((photo) => ({ path: `/v1/models/${model}/predict`, photo }));
    const requests = await withExpected(client, service.port, plain);
    const load = { port: service.port, requests, concurrency: CONCURRENCY };
    await client.run({ ...load, seconds: 1 });
    return {
      run: async () => (await client.run({ ...load, seconds: SECONDS })).perSecond,
      close: () => service.stop(),
    };
  },
};

/** A thousand photos and settings in one request, until the version is published, nothing being cached. */
export const coldFineTune: Measure = {
  unit: 's',
  better: 'less',
  async prepare(subject) {
    const photos = thousandPhotos();
    return {
      async run() {
        const service = await subject.start();
        try {
          const began = performance.now();
          await train(service, photos);
          return (performance.now() - began) / 1000;
        } finally {
          await service.stop();
        }
      },
      close: async () => undefined,
    };
  },
};

/** The same thousand photos once more, all features being cached: from the request to the published version. */
export const retrain: Measure = {
  unit: 's',
  better: 'less',
  async prepare(subject) {
    const service = await subject.start();
    const { dataset } = await train(service, thousandPhotos());
    return {
      async run() {
        const began = performance.now();
        const body = JSON.stringify({ dataset, model: 'measured' });
        const headers = { 'content-type': 'application/json' };
        await ended(service, await fetch(`${service.url}/v1/jobs`, { method: 'POST', headers, body }));
        return (performance.now() - began) / 1000;
      },
      close: () => service.stop(),
    };
  },
};

/** From starting a server's process to its first prediction. */
export const startUp: Measure = {
  unit: 's',
  better: 'less',
  async prepare(subject) {
    const service = await subject.start();
    const { model } = await train(service, labelledPhotos('clothing', 'validation'));
    const body = new Uint8Array(readFileSync(realPhotos(1)[0]!));
    return {
      async run() {
        const began = performance.now();
        const server = await service.startServer();
        const answer = await fetch(`${server.url}/v1/models/${model}/predict`, { method: 'POST', body });
        if (answer.status !== 200) throw new Error(await answer.text());
        const seconds = (performance.now() - began) / 1000;
        await server.stop();
        return seconds;
      },
      close: () => service.stop(),
    };
  },
};

function thousandPhotos(): { name: string; bytes: Buffer }[] {
  const all = labelledPhotos('clothing', 'train');
  return Array.from({ length: TRAINED }, (_, i) => all[Math.floor((i * all.length) / TRAINED)]!);
}

interface TrainingJob {
  id: string;
  model: string;
  dataset: string;
  status: string;
  error: unknown;
}

async function train(service: RunningSubject, photos: { name: string; bytes: Buffer }[]): Promise<TrainingJob> {
  const archive = zip(photos.map((photo) => ({ ...photo, stored: true })));
  const { body, headers } = form([
    { name: 'model', value: 'measured' },
    { name: 'file', value: archive, filename: 'photos.zip', type: 'application/zip' },
  ]);
  return ended(service, await fetch(`${service.url}/v1/jobs`, { method: 'POST', headers, body: new Uint8Array(body) }));
}

/** The job that was asked for, once it has ended well. */
async function ended(service: RunningSubject, answer: Response): Promise<TrainingJob> {
  if (answer.status !== 202) throw new Error(await answer.text());
  const { id } = (await answer.json()) as { id: string };
  for (const deadline = Date.now() + TRAINING_MS; ; ) {
    const job = (await (await fetch(`${service.url}/v1/jobs/${id}`)).json()) as TrainingJob;
    if (job.status === 'succeeded') return job;
    if (Date.now() > deadline || !['queued', 'running'].includes(job.status)) {
      throw new Error(`The training is ${job.status}: ${JSON.stringify(job.error)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
