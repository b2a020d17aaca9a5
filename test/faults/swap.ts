/**
 * Requests come at a steady rate while versions are published and promoted, by a process other than the server, as a worker
 * does. Every answer is computed again with the head of the version that it names.
 */
import { createHash } from 'node:crypto';
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadConfig } from '../../src/config.js';
import { type Head, score } from '../../src/heads/head.js';
import { readTfjsLayers, writeTfjsLayers } from '../../src/heads/tfjs-layers.js';
import { newId } from '../../src/ids.js';
import { Registry } from '../../src/registry/registry.js';
import type { VersionManifest } from '../../src/schemas/versions.js';
import { FileStorage } from '../../src/storage/file-storage.js';
import { backbonesIn, featuresOf } from '../helpers/backbones.js';
import { photo, randomFrom } from '../helpers/photos.js';
import { serveModel } from '../helpers/serve-model.js';
import { atLeast, exactly, type Figure, type RowOptions } from './figure.js';
import { type Fleet, withFleet } from './helpers/fleet.js';

export const name = 'A swap drops nothing';
export const goal = 'no request fails, and each answer is that of the version it names';

const PUBLISH_EVERY_MS = 500;

interface Answer {
  status: number;
  picture: number;
  version: number;
  predictions: { label: string; score: number }[];
}

export async function run({ long, seed, log }: RowOptions): Promise<Figure[]> {
  const [perSecond, seconds] = long ? [100, 60] : [25, 3];
  const random = randomFrom(seed);
  return withFleet({ workers: 0 }, async (fleet) => {
    const first = await serveModel({ dataDir: fleet.dataDir, model: 'swapped' });
    const registry = new Registry({ storage: new FileStorage({ root: fleet.dataDir }) });
    const original = readTfjsLayers({
      model: (await registry.read('default', first, 'head/model.json')).toString('utf8'),
      weights: await registry.read('default', first, 'head/weights.bin'),
    });
    const heads = new Map<number, Head>([[1, original]]);
    await promote(fleet, 1);
    const pictures = await Promise.all([0, 1, 2, 3].map((n) => photo(n % 2, 1000 + n)));
    const features = await featuresOfAll(pictures, first.backbone.id);

    const answers: Answer[] = [];
    const agent = new Agent({ keepAlive: true });
    const began = performance.now();
    const isOver = () => performance.now() - began > seconds * 1000;
    const publishing = (async () => {
      for (let n = 1; !isOver(); n += 1) {
        await sleep(Math.max(0, n * PUBLISH_EVERY_MS - (performance.now() - began)));
        const head = randomHead(original, random);
        const { version } = await publish(registry, first, head);
        heads.set(version, head);
        await promote(fleet, version);
      }
    })();
    const requests: Promise<void>[] = [];
    for (let n = 0; !isOver(); n += 1) {
      await sleep(Math.max(0, (n * 1000) / perSecond - (performance.now() - began)));
      const path = n % 2 === 0 ? '/v1/models/swapped/predict' : '/v1/models/swapped/aliases/production/predict';
      const picture = n % pictures.length;
      requests.push(
        predict(fleet.url + path, pictures[picture]!, agent).then(({ status, body }) => {
          const { version = 0, results } = JSON.parse(body || '{}');
          answers.push({ status, picture, version, predictions: results?.[0].predictions ?? [] });
        }),
      );
    }
    await Promise.all([...requests, publishing]);
    agent.destroy();
    const failed = answers.filter(({ status }) => status !== 200);
    const wrong = answers.filter((answer) => answer.status === 200 && !agrees(answer, heads, features, first.labels));
    log(
      `${answers.length} answers in ${seconds} s, of ${new Set(answers.map(({ version }) => version)).size} versions`,
    );
    return [
      atLeast('requests', answers.length, perSecond * seconds * 0.95),
      atLeast('versions published and promoted', heads.size - 1, (seconds * 1000 * 0.8) / PUBLISH_EVERY_MS),
      exactly('not 2xx', failed.length, 0),
      exactly('wrong', wrong.length, 0),
    ];
  });
}

async function promote(fleet: Fleet, version: number): Promise<void> {
  await fleet.json('/v1/models/swapped/aliases/production', {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ version }),
  });
}

/** The same layers with other weights, so that no two versions answer alike. */
function randomHead({ layers }: Head, random: () => number): Head {
  return { layers: layers.map((layer) => ({ ...layer, bias: layer.bias.map(() => random() * 4 - 2) })) };
}

async function publish(registry: Registry, like: VersionManifest, head: Head): Promise<VersionManifest> {
  const { model, weights } = await writeTfjsLayers(head);
  const { version: _version, files: _files, created_at: _at, ...manifest } = like;
  const job = newId('job');
  return registry.publish({
    tenant: 'default',
    job,
    model: like.model,
    manifest: { ...manifest, job, digest: createHash('sha256').update(weights).digest('hex') },
    files: new Map<string, Uint8Array | string>([
      ['head/model.json', model],
      ['head/weights.bin', weights],
    ]),
  });
}

async function featuresOfAll(pictures: Buffer[], id: string): Promise<Float32Array[]> {
  const backbone = await backbonesIn(loadConfig({}).MODELS_DIR).load(id);
  return Promise.all(pictures.map((bytes) => featuresOf(backbone, bytes)));
}

function agrees(answer: Answer, heads: Map<number, Head>, features: Float32Array[], labels: string[]): boolean {
  const head = heads.get(answer.version);
  if (!head || answer.predictions.length !== labels.length) return false;
  const scores = score(head, features[answer.picture]!);
  return answer.predictions.every(({ label, score: told }) => Math.abs(scores[labels.indexOf(label)]! - told) <= 1e-6);
}

/** With connections kept open, as real clients do. Status 0: the connection broke. */
function predict(url: string, body: Buffer, agent: Agent): Promise<{ status: number; body: string }> {
  return new Promise((resolve) => {
    const sent = request(url, { method: 'POST', agent, headers: { 'content-length': body.length } }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve({ status: response.statusCode!, body: Buffer.concat(chunks).toString() }));
      response.on('error', () => resolve({ status: 0, body: '' }));
    });
    sent.on('error', () => resolve({ status: 0, body: '' }));
    sent.end(body);
  });
}
