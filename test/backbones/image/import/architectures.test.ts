/**
 * The networks that transfer learning is known for, as PyTorch and as Keras export them: narrow replicas are imported,
 * trained on, served, handed out, and cut for training. The real structures: `npm run test:architectures`.
 */
import { writeFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { EmbeddedBackbones } from '../../../../src/backbones/embedded.js';
import { PRESETS, preprocess } from '../../../../src/backbones/image/import/preprocessing.js';
import { decodeImage } from '../../../../src/backbones/image/pixels.js';
import { PACKAGE_ROOT } from '../../../../src/config.js';
import { loadEngine } from '../../../../src/heads/engine.js';
import { TRUNK, trunkModel } from '../../../../src/onnx/cut-graph.js';
import { decodeModel, encodeModel } from '../../../../src/onnx/model-proto.js';
import { pruneGraph } from '../../../../src/onnx/prune-graph.js';
import { openGraph } from '../../../../src/top/backbone-graph.js';
import { TopNetwork } from '../../../../src/top/network.js';
import { readTop } from '../../../../src/top/program.js';
import { OTHERS, replica, TRANSFORMERS, TWELVE } from '../../../helpers/architectures.js';
import { importInto } from '../../../helpers/backbones.js';
import { imageAppForTest } from '../../../helpers/image-app.js';
import { relativeDifference, runOnnx } from '../../../helpers/onnx-run.js';
import { photos } from '../../../helpers/photos.js';

const SIDE = 96;
const PHOTOS = 16;
const folder = t.testdir({ files: {}, models: {} });
const models = join(folder, 'models');
const IDIOMS = ['torch', 'keras'] as const;
const ALL = [
  ...IDIOMS.flatMap((idiom) => Object.keys({ ...TWELVE, ...OTHERS }).map((name) => ({ name, idiom }))),
  ...Object.keys(TRANSFORMERS).map((name) => ({ name, idiom: 'torch' as const })),
];
const engine = await loadEngine();

const files = await photos(['birch', 'cloud'], PHOTOS / 2, { size: 128 });
const square = { input: { name: 'images', width: SIDE, height: SIDE }, resize: { mode: 'stretch' as const } };
const pixels = await Promise.all(
  files.slice(0, PHOTOS).map(({ bytes }) => decodeImage(bytes, square as never, { maxPixels: 1e6 })),
);

for (const { name, idiom } of ALL) {
  t.test(
    `${name}, by ${idiom}: features are found, alive, the network's own, and their top can be trained`,
    async (t) => {
      const { file, last, hidden } = replica(name, idiom);
      const path = join(folder, 'files', `${name}_${idiom}.onnx`);
      writeFileSync(path, file);
      const preset = idiom === 'torch' ? 'imagenet' : 'tf';
      const imported = await importInto(models, { file: path, id: `${name}_${idiom}`, preset });
      const { card, parts, classes } = imported;
      t.equal(classes, name === 'clip' ? undefined : 10, 'the classifier is found');
      t.equal(hidden ? parts.vector?.dimensions : parts.levels.at(-1)?.channels, last, 'its features are');
      t.ok(parts.levels.length >= 3, `${parts.levels.length} depths are pooled`);
      if (name in TRANSFORMERS) t.ok(parts.levels.every(({ layout, height }) => layout === 'tokens' && height === 6));
      if (!hidden) t.equal(parts.vector, undefined, 'all of them are means of maps');

      const backbone = imported.files.get(card.file) as Uint8Array;
      const images = { data: new Uint8Array(Buffer.concat(pixels)), dims: [PHOTOS, SIDE, SIDE, 3] };
      const { features } = await runOnnx(backbone, images);
      t.ok(
        relativeDifference(features!.data, await ownFeatures(file, parts, preset)) < 1e-4,
        'as the network computes them',
      );
      const alive = aliveShare(features!.data, card.features.dimensions);
      t.ok(alive > 0.5, `${(100 * alive).toFixed(0)} % of them tell the photos apart`);

      t.ok(card.top!.blocks.length > 0, `${card.top!.blocks.length} blocks can be trained`);
      t.equal(card.top!.limit, null, 'down to the first map, or the first tokens');
      const graph = await openGraph(backbone, card);
      for (const { cut } of [card.top!.blocks[0]!, card.top!.blocks.at(-1)!]) {
        const network = new TopNetwork(engine, readTop(graph, cut));
        const trunk = await runOnnx(encodeModel(trunkModel(decodeModel(backbone), cut)), images);
        const answer = engine.tf.tidy(() => network.forward(trunk[TRUNK]!.data, PHOTOS).dataSync() as Float32Array);
        t.ok(relativeDifference(answer, features!.data) < 1e-4, `the top at ${cut.tensor} computes the same`);
        network.dispose();
      }
    },
  );
}

t.test('models on them are trained, served and handed out, and both answers are one', async (t) => {
  await cp(join(PACKAGE_ROOT, 'models', 'rootstock_s'), join(models, 'rootstock_s'), { recursive: true });
  const app = await imageAppForTest(t, { source: new EmbeddedBackbones({ folder: models }) });
  const dataset = await app.upload(files);
  for (const { name, idiom } of ALL) {
    const backbone = `${name}_${idiom}`;
    await app.train({
      dataset: dataset.id,
      model: backbone,
      backbone,
      head: 'linear',
      hyperparameters: { weight_decay: 0.01 },
    });
    const image = files[0]!.bytes;
    const answer = await app.json<{ results: { predictions: { label: string; score: number }[] }[] }>(
      `/v1/models/${backbone}/predict?top_k=100`,
      { method: 'POST', body: image },
    );
    const { labels } = await app.json<{ labels: string[] }>(`/v1/models/${backbone}/versions/1`);
    const served = labels.map((label) => answer.results[0]!.predictions.find((row) => row.label === label)!.score);
    const { body } = await app.send(`/v1/models/${backbone}/versions/1/artifact?format=onnx`);
    const card = await app.backbones.card(backbone);
    const seen = await decodeImage(image, card as never, { maxPixels: 1e6 });
    const { probabilities } = await runOnnx(body, { data: new Uint8Array(seen), dims: [1, SIDE, SIDE, 3] });
    t.ok(relativeDifference(Float32Array.from(served), probabilities!.data) < 1e-4, backbone);
  }
});

/** Features by the untouched network: its own maps, pooled here. */
async function ownFeatures(
  file: Uint8Array,
  { levels, vector }: Awaited<ReturnType<typeof importInto>>['parts'],
  preset: 'imagenet' | 'tf',
): Promise<Float32Array> {
  const model = decodeModel(file);
  const names = [...levels.map(({ name }) => name), ...(vector ? [vector.name] : [])];
  const graph = pruneGraph(model.graph!, names);
  graph.output = names.map((name) => ({ name, type: { tensorType: { elemType: 1 } } }));
  const layout = preset === 'imagenet' ? 'nchw' : 'nhwc';
  const input = { name: 'input', layout, width: SIDE, height: SIDE, batch: undefined } as const;
  const seen = pixels.map((each) => preprocess(each, PRESETS[preset], input));
  const data = new Float32Array(PHOTOS * seen[0]!.length);
  for (const [i, each] of seen.entries()) data.set(each, i * each.length);
  const dims = layout === 'nchw' ? [PHOTOS, 3, SIDE, SIDE] : [PHOTOS, SIDE, SIDE, 3];
  const outputs = await runOnnx(encodeModel({ ...model, graph }), { data, dims });
  const rows = Array.from({ length: PHOTOS }, (_, n) => [
    ...levels.flatMap(({ name, channels, height, width, layout, prefix = 0 }) => {
      const { data } = outputs[name]!;
      const area = height * width;
      const map = data.subarray((n * data.length) / PHOTOS, ((n + 1) * data.length) / PHOTOS);
      return Array.from({ length: channels }, (_, c) => {
        let sum = 0;
        for (let place = 0; place < area; place += 1) {
          sum += map[layout === 'tokens' ? (prefix + place) * channels + c : c * area + place]!;
        }
        return sum / area;
      });
    }),
    ...(vector ? outputs[vector.name]!.data.subarray(n * vector.dimensions, (n + 1) * vector.dimensions) : []),
  ]);
  return Float32Array.from(rows.flat());
}

/** Share of the features whose deviation over the photos is at least a thousandth of their mean size. */
function aliveShare(values: Float32Array, dimensions: number): number {
  const rows = values.length / dimensions;
  const alive = Array.from({ length: dimensions }, (_, d) => {
    const own = Array.from({ length: rows }, (_, n) => values[n * dimensions + d]!);
    const mean = own.reduce((sum, value) => sum + value, 0) / rows;
    const deviation = Math.sqrt(own.reduce((sum, value) => sum + (value - mean) ** 2, 0) / rows);
    return deviation > 1e-3 * Math.abs(mean) && deviation > 0;
  });
  return alive.filter(Boolean).length / dimensions;
}
