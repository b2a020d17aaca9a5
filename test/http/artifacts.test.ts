/** What is handed out answers what the API answers, wherever it runs. How it is handed out: native/files.test.ts. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, sep } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { loadLayersModel } from '@tensorflow/tfjs-layers';
import { InferenceSession } from 'onnxruntime-node';
import sharp from 'sharp';
import t from 'tap';
import { fromBufferPromise } from 'yauzl';
import { PACKAGE_ROOT } from '../../src/config.js';
import type { ImageBackboneCard } from '../../src/schemas/backbones.js';
import type { Report } from '../../src/schemas/report.js';
import type { VersionManifest } from '../../src/schemas/versions.js';
import { isProblem } from '../helpers/http.js';
import { imageAppForTest } from '../helpers/image-app.js';
import { runOnnx } from '../helpers/onnx-run.js';
import { photos, pixels } from '../helpers/photos.js';

const LABELS = ['__proto__', 'constructor', 'käse', 'wood'];
const { json, send, upload, train } = await imageAppForTest(t);
const cardFolder = join(PACKAGE_ROOT, 'models', 'rootstock_s');
const card = JSON.parse(await readFile(join(cardFolder, 'backbone.json'), 'utf8')) as ImageBackboneCard;

/** Photos that no class is sure of, large and small, wide and high. */
const probes = await Promise.all(
  [
    [300, 200],
    [120, 260],
    [96, 96],
    [48, 48],
    [640, 479],
  ].map(async ([width, height], i) => {
    const half = Math.floor(height! / 2) + i;
    const both = Buffer.concat([pixels(i % 4, i, width!, half), pixels((i + 1) % 4, i, width!, height! - half)]);
    return sharp(both, { raw: { width: width!, height: height!, channels: 3 } })
      .jpeg()
      .toBuffer();
  }),
);

/** Pixels by the recipe on the card, with sharp and nothing of ours: `[N, H, W, 3]`. */
async function pixelsByRecipe(): Promise<Uint8Array> {
  t.same(card.resize, { mode: 'crop', short_side: 110 });
  const all = await Promise.all(
    probes.map((bytes) =>
      sharp(bytes)
        .autoOrient()
        .resize(110, 110, { fit: 'cover', position: 'centre' })
        .extract({ left: 7, top: 7, width: 96, height: 96 })
        .raw()
        .toBuffer(),
    ),
  );
  return new Uint8Array(Buffer.concat(all));
}

/** What the API says of the probes: a probability per label, in the order of `labels`. */
async function byApi(model: string, labels: string[]): Promise<number[][]> {
  const { results } = await json<{ results: { predictions: { label: string; score: number }[] }[] }>(
    `/v1/models/${model}/predict`,
    {
      method: 'POST',
      body: JSON.stringify({ images: probes.map((bytes) => bytes.toString('base64')) }),
      headers: { 'content-type': 'application/json' },
    },
  );
  return results.map(({ predictions }) => {
    const scores = new Map(predictions.map(({ label, score }) => [label, score]));
    return labels.map((label) => scores.get(label)!);
  });
}

async function unzip(bytes: Buffer): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  const zip = await fromBufferPromise(bytes);
  for await (const entry of zip.eachEntry()) {
    files.set(entry.fileName, await buffer(await zip.openReadStreamPromise(entry)));
  }
  return files;
}

function close(actual: ArrayLike<number>, expected: number[], tolerance: number): number {
  const worst = Math.max(...expected.map((value, i) => Math.abs(value - actual[i]!)));
  return worst <= tolerance ? 0 : worst;
}

// A third of the labels are wrong, so that no head is ever sure.
const files = (await photos(LABELS, 12)).map(({ name, bytes }, i) => ({
  name: i % 3 === 0 ? `${LABELS[(i >> 2) % 4]}/${i}.jpg` : name,
  bytes,
}));
const dataset = await upload(files);
const heads = {
  linear: { hyperparameters: { weight_decay: 3 } },
  mlp: { hyperparameters: { hidden_units: 24, epochs: 30 } },
} as const;

for (const head of ['linear', 'mlp'] as const) {
  const model = `${head}-model`;
  await t.test(`a ${head} head is trained`, async (t) => {
    await train({ dataset: dataset.id, model, head, ...heads[head] });
    t.equal((await json<VersionManifest>(`/v1/models/${model}/versions/1`)).head, head);
  });

  await t.test(
    `the onnx artifact of a ${head} head, run by onnxruntime alone, answers what the API answers`,
    async (t) => {
      const artifact = await send(`/v1/models/${model}/versions/1/artifact?format=onnx`);
      t.equal(artifact.status, 200);
      t.equal(artifact.headers['content-disposition'], `attachment; filename="${model}-v1.onnx"`);
      const data = await pixelsByRecipe();
      const outputs = await runOnnx(artifact.body, { data, dims: [probes.length, 96, 96, 3] });
      t.same(Object.keys(outputs), ['probabilities']);
      t.same(outputs.probabilities!.dims, [probes.length, 4]);
      const expected = await byApi(model, LABELS.toSorted());
      t.equal(close(outputs.probabilities!.data, expected.flat(), 1e-4), 0, 'to 1e-4');
      t.ok(
        expected.some((row) => Math.max(...row) < 0.99),
        `some answers are unsure ${JSON.stringify(expected)}`,
      );
      const session = await InferenceSession.create(artifact.body);
      t.same(session.inputNames.length, 1);
      await session.release();
    },
  );

  await t.test(
    `the tfjs artifact of a ${head} head, loaded by TensorFlow.js, answers what the API answers`,
    async (t) => {
      const artifact = await send(`/v1/models/${model}/versions/1/artifact?format=tfjs`);
      t.equal(artifact.headers['content-type'], 'application/zip');
      const files = await unzip(artifact.body);
      t.same([...files.keys()].sort(), ['labels.json', 'model.json', 'weights.bin']);
      const labels = JSON.parse(files.get('labels.json')!.toString()) as string[];
      t.same(labels, LABELS.toSorted());
      const root = dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm/package.json'));
      setWasmPaths(join(root, 'dist') + sep);
      t.ok(await tf.setBackend('wasm'));
      const { modelTopology, weightsManifest } = JSON.parse(files.get('model.json')!.toString());
      t.same(
        weightsManifest.flatMap(({ paths }: { paths: string[] }) => paths),
        ['weights.bin'],
      );
      const weights = files.get('weights.bin')!;
      const loaded = await loadLayersModel(
        tf.io.fromMemory({
          modelTopology,
          weightSpecs: weightsManifest.flatMap((group: { weights: tf.io.WeightsManifestEntry[] }) => group.weights),
          weightData: new Uint8Array(weights).buffer,
        }),
      );
      const backbone = new Uint8Array(await readFile(join(cardFolder, card.file)));
      const dims = [probes.length, 96, 96, 3];
      const { features } = await runOnnx(backbone, { data: await pixelsByRecipe(), dims });
      const x = tf.tensor2d(features!.data, [probes.length, card.features.dimensions]);
      const answer = await (loaded.predict(x) as tf.Tensor).data();
      t.equal(close(answer, (await byApi(model, labels)).flat(), 1e-4), 0, 'to 1e-4');
    },
  );
}

t.test('the bundle holds what its manifest says, byte for byte', async (t) => {
  const artifact = await send('/v1/models/linear-model/versions/1/artifact');
  t.equal(artifact.headers['content-type'], 'application/zip');
  const files = await unzip(artifact.body);
  const manifest = JSON.parse(files.get('manifest.json')!.toString()) as VersionManifest;
  const stored = await json<VersionManifest>('/v1/models/linear-model/versions/1');
  // What tells of the training images stays with the service.
  const given = stored.files.filter(({ path }) => !path.startsWith('exemplars/') && !path.startsWith('predictions/'));
  t.ok(given.length < stored.files.length);
  const { links, ...kept } = stored;
  t.same(manifest, { ...kept, files: given });
  t.match(links, { card: /\/versions\/1\/card$/ });
  t.same([...files.keys()].sort(), ['manifest.json', ...manifest.files.map(({ path }) => path)].sort());
  for (const name of ['labels.json', 'head/model.json', 'head/weights.bin', 'report.json', 'README.md']) {
    t.ok(files.has(name), name);
  }
  for (const { path, bytes, sha256 } of manifest.files) {
    t.equal(files.get(path)!.length, bytes);
    t.equal(createHash('sha256').update(files.get(path)!).digest('hex'), sha256, path);
    const single = await send(`/v1/models/linear-model/versions/1/files/${path}`);
    t.ok(single.body.equals(files.get(path)!), `${path} by itself`);
  }
  const report = await json<Report>('/v1/models/linear-model/versions/1/report');
  t.same(JSON.parse(files.get('report.json')!.toString()), report);
  t.match(files.get('README.md')!.toString(), /110/, 'the model card gives the recipe for pixels');
  for (const path of ['nothing', '..%2Fmanifest.json', 'head', 'claim.json']) {
    isProblem(t, await send(`/v1/models/linear-model/versions/1/files/${path}`), 404, 'not_found', path);
  }
});
