import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Head, score } from '../../../../src/heads/head.js';
import { writeTfjsLayers } from '../../../../src/heads/tfjs-layers.js';
import type { VersionManifest } from '../../../../src/schemas/versions.js';
import { backbonesIn, featuresOf } from '../../../helpers/backbones.js';
import { randomFrom } from '../../../helpers/photos.js';
import { withExpected } from '../load.js';
import { realPhotos } from '../photos.js';
import { ratios, summary } from '../rounds.js';
import type { BenchContext, Section } from '../section.js';
import { BACKBONE, type BenchService, withService } from '../service.js';

const MODELS = 10_000;
const CLASSES = 10;
const LABELS = Array.from({ length: CLASSES }, (_, k) => `class-${k}`);
const PHOTOS = 50;

/** Requests spread over ten thousand models, each with a head of its own, against requests for one of them. */
export const manyModels: Section = {
  name: 'models',
  run: (context) =>
    withService({ models: context.models, worker: false }, async (service) => {
      const { client, rounds, say } = context;
      const photos = realPhotos(PHOTOS);
      const best = await publishModels(context, service, photos);
      // All of them once, in an order of their own, checked against what was computed here from the same features.
      const random = randomFrom(3);
      const all = Array.from({ length: MODELS }, (_, i) => ({ model: (i * 7919) % MODELS, photo: i % PHOTOS }));
      const requests = all.map(({ model, photo }) => ({
        path: `/v1/models/m${model}/predict`,
        photo: photos[photo]!,
      }));
      await client.run({ port: service.port, requests: requests.slice(0, 200), concurrency: 8, seconds: 1 });
      const before = await memoryOf(service);
      say(`${MODELS} models answer for the first time`);
      const first = await client.run({ port: service.port, requests, concurrency: 32, seconds: 'once' });
      const wrong = first.answers.filter((answer, i) => {
        const [top] = JSON.parse(answer) as { label: string }[];
        return top!.label !== LABELS[best(all[i]!.model, all[i]!.photo)];
      });
      const after = await memoryOf(service);
      const spread = requests
        .map((request, i) => ({ ...request, expected: first.answers[i]! }))
        .map((request) => ({ request, at: random() }))
        .sort((a, b) => a.at - b.at)
        .map(({ request }) => request);
      const single = await withExpected(
        client,
        service.port,
        photos.map((photo) => ({ path: '/v1/models/m1/predict', photo })),
      );
      const [one, many]: [number[], number[]] = [[], []];
      for (let round = 0; round < rounds; round += 1) {
        const load = { port: service.port, concurrency: 32, seconds: 5 };
        one.push((await client.run({ ...load, requests: single })).perSecond);
        many.push((await client.run({ ...load, requests: spread })).perSecond);
      }
      const kilobytes = (after - before) / 1024 / MODELS;
      return [
        {
          name: '10,000 models, requests spread over all, throughput against one model',
          ...summary(ratios(many, one)),
          unit: '×',
          goal: { atLeast: 0.9 },
        },
        {
          name: '10,000 models, memory per linear 10-class head',
          value: kilobytes,
          unit: 'KB',
          goal: { atMost: 100 },
          note: 'growth of resident memory, manifests and all; the numbers alone take 50 KB',
        },
        {
          name: '10,000 models, share that answers correctly',
          value: 1 - wrong.length / MODELS,
          unit: '',
          goal: { atLeast: 1 },
          note: 'best label of each model against a sequential pass outside the server',
        },
        {
          name: '10,000 models, first answer of each, heads read from disk',
          value: first.perSecond,
          unit: '/s',
        },
      ];
    }),
};

/** Resident memory of the server, as its metrics tell it. */
async function memoryOf({ url }: BenchService): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(/^process_resident_memory_bytes (\S+)/m.exec(text)![1]);
}

/**
 * Write the models as publishing lays them out, without its fsyncs, which would take minutes.
 * @returns the best class of a model for a photo
 */
async function publishModels(
  { models, say }: BenchContext,
  { dataDir }: BenchService,
  photos: string[],
): Promise<(model: number, photo: number) => number> {
  const backbones = backbonesIn(models);
  const backbone = await backbones.load(BACKBONE);
  const D = backbone.card.features.dimensions;
  const features: Float32Array[] = [];
  for (const photo of photos) {
    features.push(await featuresOf(backbone, readFileSync(photo)));
  }
  const kernelOf = (model: number) => {
    const random = randomFrom(model + 1);
    return Float32Array.from({ length: D * CLASSES }, () => random() - 0.5);
  };
  const headOf = (model: number): Head => ({
    layers: [
      { inputs: D, units: CLASSES, kernel: kernelOf(model), bias: new Float32Array(CLASSES), activation: 'softmax' },
    ],
  });
  const { model: json } = await writeTfjsLayers(headOf(0));
  const file = (path: string, bytes: Uint8Array) => ({
    path,
    bytes: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
  });
  const text = Buffer.from(json);
  const modelFile = file('head/model.json', text);
  say(`writing ${MODELS} models`);
  for (let start = 0; start < MODELS; start += 50) {
    await Promise.all(
      Array.from({ length: Math.min(50, MODELS - start) }, async (_, i) => {
        const model = start + i;
        const [layer] = headOf(model).layers;
        const weights = Buffer.concat([Buffer.from(layer!.kernel.buffer), Buffer.from(layer!.bias.buffer)]);
        const weightsFile = file('head/weights.bin', weights);
        const manifest: VersionManifest = {
          version: 1,
          model: `m${model}`,
          job: 'job_00000000000000000000000000',
          dataset: 'ds_00000000000000000000000000',
          backbone: { id: BACKBONE, sha256: backbone.card.sha256, dimensions: D },
          head: 'linear',
          labels: LABELS,
          accuracy: null,
          description: null,
          digest: weightsFile.sha256,
          files: [modelFile, weightsFile],
          created_at: new Date().toISOString(),
        };
        const folder = join(dataDir, 'tenants', 'default', 'models', `m${model}`);
        const put = async (path: string, bytes: Uint8Array | string) => {
          await mkdir(dirname(join(folder, path)), { recursive: true });
          await writeFile(join(folder, path), bytes);
        };
        await put(`versions/1/files/${modelFile.sha256}`, text);
        await put(`versions/1/files/${weightsFile.sha256}`, weights);
        await put('versions/1/claim.json', JSON.stringify({ job: manifest.job }));
        await put('published/1.json', JSON.stringify(manifest));
      }),
    );
  }
  return (model, photo) => {
    const scores = score(headOf(model), features[photo]!);
    return scores.indexOf(Math.max(...scores));
  };
}
