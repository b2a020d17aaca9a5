/** What is handed out answers what the API answers, wherever it runs; and it is handed out as HTTP wants it. */
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
import { isProblem, send } from '../helpers/http.js';
import { runOnnx } from '../helpers/onnx-run.js';
import { photo, photos, pixels, submit, upload } from '../helpers/photos.js';
import { serviceForTest } from '../helpers/service.js';

const LABELS = ['__proto__', 'constructor', 'käse', 'wood'];
const service = await serviceForTest(t);
const { url, json, ended } = service;
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
const dataset = await upload(service, files);
const heads = {
  linear: { hyperparameters: { weight_decay: 3 } },
  mlp: { hyperparameters: { hidden_units: 24, epochs: 30 } },
} as const;

for (const head of ['linear', 'mlp'] as const) {
  const model = `${head}-model`;
  await t.test(`a ${head} head is trained`, async (t) => {
    const job = await submit(service, { dataset: dataset.id, model, head, ...heads[head] });
    const done = await ended(job.id);
    t.equal(done.status, 'succeeded', JSON.stringify(done.error));
    t.equal((await json<VersionManifest>(`/v1/models/${model}/versions/1`)).head, head);
  });

  await t.test(
    `the onnx artifact of a ${head} head, run by onnxruntime alone, answers what the API answers`,
    async (t) => {
      const artifact = await send(url, `/v1/models/${model}/versions/1/artifact?format=onnx`);
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
      const artifact = await send(url, `/v1/models/${model}/versions/1/artifact?format=tfjs`);
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
  const artifact = await send(url, '/v1/models/linear-model/versions/1/artifact');
  t.equal(artifact.headers['content-type'], 'application/zip');
  const files = await unzip(artifact.body);
  const manifest = JSON.parse(files.get('manifest.json')!.toString()) as VersionManifest;
  const stored = await json<VersionManifest>('/v1/models/linear-model/versions/1');
  // What tells of the training images stays with the service.
  const given = stored.files.filter(({ path }) => !path.startsWith('exemplars/') && !path.startsWith('predictions/'));
  t.ok(given.length < stored.files.length);
  t.same(manifest, { ...stored, files: given });
  t.same([...files.keys()].sort(), ['manifest.json', ...manifest.files.map(({ path }) => path)].sort());
  for (const name of ['labels.json', 'head/model.json', 'head/weights.bin', 'report.json', 'README.md']) {
    t.ok(files.has(name), name);
  }
  for (const { path, bytes, sha256 } of manifest.files) {
    t.equal(files.get(path)!.length, bytes);
    t.equal(createHash('sha256').update(files.get(path)!).digest('hex'), sha256, path);
    const single = await send(url, `/v1/models/linear-model/versions/1/files/${path}`);
    t.ok(single.body.equals(files.get(path)!), `${path} by itself`);
  }
  const report = await json<Report>('/v1/models/linear-model/versions/1/report');
  t.same(JSON.parse(files.get('report.json')!.toString()), report);
  t.match(files.get('README.md')!.toString(), /110/, 'the model card gives the recipe for pixels');
  for (const path of ['nothing', '..%2Fmanifest.json', '%2e%2e/%2e%2e/aliases', 'head', 'claim.json']) {
    isProblem(t, await send(url, `/v1/models/linear-model/versions/1/files/${path}`), 404, 'not_found', path);
  }
});

for (const format of ['bundle', 'onnx', 'tfjs']) {
  t.test(`the ${format} artifact is sent with its digest, by ranges, and not twice`, async (t) => {
    const path = `/v1/models/linear-model/versions/1/artifact?format=${format}`;
    const whole = await send(url, path);
    t.equal(whole.status, 200);
    const { etag } = whole.headers;
    const digest = createHash('sha256').update(whole.body);
    t.equal(whole.headers['repr-digest'], `sha-256=:${digest.digest('base64')}:`);
    t.match(etag, /^"[0-9a-f]{64}"$/);
    t.equal(Number(whole.headers['content-length']), whole.body.length);
    t.equal(whole.headers['accept-ranges'], 'bytes');
    t.ok((await send(url, path)).body.equals(whole.body), 'the same bytes again');

    const head = await send(url, path, { method: 'HEAD' });
    t.equal(head.status, 200);
    t.equal(head.body.length, 0);
    for (const name of ['etag', 'content-length', 'content-type', 'repr-digest']) {
      t.equal(head.headers[name], whole.headers[name], `HEAD: ${name}`);
    }
    const get = (headers: Record<string, string>) => send(url, path, { headers });
    for (const tag of [etag!, `W/${etag}`, `"other", ${etag}`, '*']) {
      const same = await get({ 'if-none-match': tag });
      t.same([same.status, same.body.length, same.headers.etag], [304, 0, etag], tag);
    }
    t.equal((await get({ 'if-none-match': '"other"' })).status, 200);

    const size = whole.body.length;
    for (const [range, start, end] of [
      ['bytes=0-99', 0, 99],
      [`bytes=${size - 10}-`, size - 10, size - 1],
      ['bytes=-17', size - 17, size - 1],
      [`bytes=100-${size + 1000}`, 100, size - 1],
      [`bytes=-${size + 1000}`, 0, size - 1],
      ['bytes=7-7', 7, 7],
      [`bytes=${size >> 1}-${(size >> 1) + 5000}`, size >> 1, Math.min(size - 1, (size >> 1) + 5000)],
    ] as const) {
      const part = await get({ range });
      t.equal(part.status, 206, range);
      t.equal(part.headers['content-range'], `bytes ${start}-${end}/${size}`);
      t.equal(Number(part.headers['content-length']), end - start + 1);
      t.ok(part.body.equals(whole.body.subarray(start, end + 1)), range);
      t.equal(part.headers.etag, etag);
    }
    for (const range of [`bytes=${size}-`, `bytes=${size + 5}-${size + 9}`, 'bytes=-0']) {
      const outside = await get({ range });
      isProblem(t, outside, 416, 'range_not_satisfiable', range);
      t.equal(outside.headers['content-range'], `bytes */${size}`);
    }
    for (const range of ['bytes=5-2', 'lines=0-1', 'bytes=0-1,5-6', 'bytes=abc', 'bytes=-']) {
      const ignored = await get({ range });
      t.same([ignored.status, ignored.body.length], [200, size], `${range} is ignored`);
    }
    t.equal((await get({ range: 'bytes=0-9', 'if-range': etag! })).status, 206, 'If-Range holds');
    t.equal((await get({ range: 'bytes=0-9', 'if-range': '"other"' })).status, 200, 'If-Range does not hold');
    t.equal((await get({ range: 'bytes=0-9', 'if-range': `W/${etag}` })).status, 200, 'a weak If-Range never holds');
    t.equal((await get({ range: 'bytes=0-9', 'if-none-match': etag! })).status, 304);
  });
}

t.test('an artifact that a client breaks off costs nothing, and unknown ones are refused', async (t) => {
  isProblem(t, await send(url, '/v1/models/linear-model/versions/1/artifact?format=h5'), 400, 'invalid_request');
  isProblem(t, await send(url, '/v1/models/linear-model/versions/7/artifact'), 404, 'version_not_found');
  isProblem(t, await send(url, '/v1/models/no-model/versions/1/artifact'), 404, 'model_not_found');
  for (let i = 0; i < 10; i += 1) {
    const leaving = new AbortController();
    const response = await fetch(`${url}/v1/models/linear-model/versions/1/artifact?format=onnx`, {
      signal: leaving.signal,
    });
    await response.body!.getReader().read();
    leaving.abort();
  }
  const answer = await send(url, '/v1/models/linear-model/predict', { method: 'POST', body: await photo(1, 1) });
  t.equal(answer.status, 200);
});
