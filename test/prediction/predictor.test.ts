import { writeFileSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { Backbones } from '../../src/backbones/backbones.js';
import type { Backbone } from '../../src/backbones/contract.js';
import { writeTfjsLayers } from '../../src/heads/tfjs-layers.js';
import { Predictor } from '../../src/prediction/predictor.js';
import type { Registry } from '../../src/registry/registry.js';
import type { VersionManifest } from '../../src/schemas/versions.js';
import { backbonesIn, importInto } from '../helpers/backbones.js';
import { fileOf, plain } from '../helpers/onnx-models.js';
import { photo } from '../helpers/photos.js';

const LABELS = ['cat', 'dog'];

/** A folder with two backbones: `deep` has ten features, `flat` six. */
async function twoBackbones(t: Test) {
  const modelsDir = t.testdir({ 'network.onnx': Buffer.from(fileOf(plain)) });
  const file = join(modelsDir, 'network.onnx');
  const deep = await importInto(modelsDir, { file, id: 'deep', levels: 2, preset: 'unit' });
  const flat = await importInto(modelsDir, { file, id: 'flat', levels: 1, preset: 'tf' });
  return { modelsDir, file, deep: deep.card, flat: flat.card };
}

function versionOn({ id, sha256, features }: Backbone['card'], version = 1): VersionManifest {
  const backbone = { id, sha256, dimensions: features.dimensions };
  return {
    model: 'pets',
    version,
    digest: `${version} ${id} ${sha256}`,
    labels: LABELS,
    backbone,
    files: [] as unknown,
  } as VersionManifest;
}

/** Heads of two classes for whatever features the version has. */
const registry = {
  async read(_tenant: string, { backbone: { dimensions } }: VersionManifest, path: string) {
    const { model, weights } = await writeTfjsLayers({
      layers: [
        {
          inputs: dimensions,
          units: 2,
          kernel: new Float32Array(dimensions * 2).fill(0.1),
          bias: Float32Array.from([0, 1]),
          activation: 'softmax',
        },
      ],
    });
    return Buffer.from(path.endsWith('.json') ? model : weights);
  },
} as unknown as Registry;

function predictorOn(backbones: Backbones, onBatch?: (batch: { backbone: string; examples: number }) => void) {
  return new Predictor({
    backbones,
    registry,
    maxBatch: 8,
    maxWaiting: 100,
    headCacheBytes: 1e6,
    decoders: 2,
    onBatch,
  });
}

const image = { name: 'a.jpg', bytes: await photo(0, 1) };
const ask = (predictor: Predictor, manifest: VersionManifest) =>
  predictor.predict({ tenant: 'default', manifest, examples: [image], topK: 1 });

t.test(
  'models on several backbones are served side by side, each backbone loaded once when first needed',
  async (t) => {
    const { modelsDir, deep, flat } = await twoBackbones(t);
    const loads: string[] = [];
    const backbones = backbonesIn(modelsDir, { onLoad: ({ card }) => loads.push(card.id) });
    const batches = new Map<string, number>();
    const predictor = predictorOn(backbones, ({ backbone, examples }) => {
      batches.set(backbone, (batches.get(backbone) ?? 0) + examples);
    });
    t.same([loads, backbones.memory], [[], { backbones: 0, bytes: 0 }]);
    await ask(predictor, versionOn(deep));
    t.same([loads, backbones.memory], [['deep'], { backbones: 1, bytes: deep.bytes }]);
    const answers = await Promise.all(
      [deep, flat, deep, flat, flat].map((card, i) => ask(predictor, versionOn(card, i + 1))),
    );
    for (const { results } of answers) t.match(results, [{ predictions: [{ label: 'dog' }] }]);
    t.same(loads, ['deep', 'flat']);
    t.same(backbones.memory, { backbones: 2, bytes: deep.bytes + flat.bytes });
    t.same(Object.fromEntries(batches), { deep: 3, flat: 3 });
  },
);

t.test('a version refuses another file under the name of its backbone', async (t) => {
  const { modelsDir, deep, flat } = await twoBackbones(t);
  const predictor = predictorOn(backbonesIn(modelsDir));
  const wrong = versionOn({ ...deep, sha256: flat.sha256 });
  await t.rejects(ask(predictor, wrong), {
    code: 'backbone_mismatch',
    message: /trained on another 'deep'.*train again/,
    details: { expected: flat.sha256, installed: deep.sha256 },
  });
  await ask(predictor, versionOn(deep));
  await t.rejects(ask(predictor, versionOn({ ...deep, id: 'gone' })), { code: 'backbone_not_found' });
});

t.test(
  'a backbone that is replaced, removed or put back is served as its versions need it, without a restart',
  async (t) => {
    const { modelsDir, file, deep } = await twoBackbones(t);
    const loads: string[] = [];
    const backbones = backbonesIn(modelsDir, { onLoad: ({ card }) => loads.push(card.sha256) });
    const predictor = predictorOn(backbones);
    await ask(predictor, versionOn(deep));
    await rename(join(modelsDir, 'deep'), join(modelsDir, '.aside'));
    await ask(predictor, versionOn(deep)); // it is in memory
    await t.rejects(backbones.load('deep'), { code: 'backbone_not_found' }, 'and nothing new is begun with it');
    const { card: other } = await importInto(modelsDir, { file, id: 'deep', levels: 1, preset: 'raw' });
    await t.rejects(ask(predictorOn(backbonesIn(modelsDir)), versionOn(deep)), {
      code: 'backbone_mismatch',
      details: { expected: deep.sha256, installed: other.sha256 },
    });
    await ask(predictor, versionOn(other, 2));
    t.same((await backbones.load('deep')).card, other, 'a job takes the new one');
    await ask(predictor, versionOn(deep, 3));
    await rm(join(modelsDir, 'deep'), { recursive: true });
    await rename(join(modelsDir, '.aside'), join(modelsDir, 'deep'));
    t.same((await backbones.load('deep')).card, deep);
    t.same(loads, [deep.sha256, other.sha256], 'each was loaded once');
  },
);

t.test('a damaged backbone is refused, and loaded once it is put right', async (t) => {
  const { modelsDir, flat } = await twoBackbones(t);
  const predictor = predictorOn(backbonesIn(modelsDir));
  const model = join(modelsDir, 'flat', 'model.onnx');
  await rename(model, `${model}.aside`);
  writeFileSync(model, 'x');
  await t.rejects(ask(predictor, versionOn(flat)), { code: 'backbone_invalid' });
  await rename(`${model}.aside`, model);
  t.match(await ask(predictor, versionOn(flat)), { results: [{ predictions: [{ label: 'dog' }] }] });
});

t.test('a backbone that was loaded anew is the one that is asked', async (t) => {
  const { modelsDir, flat } = await twoBackbones(t);
  const real = await backbonesIn(modelsDir).load('flat');
  const dead: Backbone = { ...real, embed: () => Promise.reject(new Error('its thread ended')) };
  let current = dead;
  const predictor = predictorOn({ loadFor: async () => current } as unknown as Backbones);
  await t.rejects(ask(predictor, versionOn(flat)), { message: 'its thread ended' });
  current = real;
  t.match(await ask(predictor, versionOn(flat)), { results: [{ predictions: [{ label: 'dog' }] }] });
});

t.test('one tenant takes its part of the queue, and others find room; both are told when it is full', async (t) => {
  const { modelsDir, flat } = await twoBackbones(t);
  const real = await backbonesIn(modelsDir).load('flat');
  let release!: () => void;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const held: Backbone = {
    ...real,
    embed: async (prepared) => {
      await released;
      return real.embed(prepared);
    },
  };
  const predictor = new Predictor({
    backbones: { loadFor: async () => held } as unknown as Backbones,
    registry,
    maxBatch: 8,
    maxWaiting: 5,
    maxWaitingPerTenant: () => 3,
    headCacheBytes: 1e6,
    decoders: 2,
  });
  const askAs = (tenant: string, examples: number) =>
    predictor.predict({ tenant, manifest: versionOn(flat), examples: Array(examples).fill(image), topK: 1 });
  const first = askAs('loud', 3);
  await t.rejects(askAs('loud', 1), { code: 'overloaded' });
  const second = askAs('quiet', 2);
  await t.rejects(askAs('third', 1), { code: 'overloaded' });
  release();
  await Promise.all([first, second]);
  t.equal(predictor.load.waiting, 0);
  await askAs('loud', 3);
});
