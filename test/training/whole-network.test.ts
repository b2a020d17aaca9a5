/** All layers of a backbone are trained: on TensorFlow's native library; on WebAssembly the job says what to install. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { decodeImage } from '../../src/backbones/image/pixels.js';
import { PACKAGE_ROOT } from '../../src/config.js';
import { isNative, loadEngine } from '../../src/heads/engine.js';
import type { Report } from '../../src/schemas/report.js';
import { imageAppForTest } from '../helpers/image-app.js';
import { runOnnx } from '../helpers/onnx-run.js';
import { photos } from '../helpers/photos.js';

const native = isNative(await loadEngine());
const LABELS = ['apple', 'birch', 'cloud'];
const app = await imageAppForTest(t);
const part = async (name: string, count: number, seed: number) =>
  (await photos(LABELS, count, { seed })).map((file) => ({ ...file, name: `${name}/${file.name}` }));
const held = await part('test', 8, 5);
const { id: dataset } = await app.upload([...(await part('train', 12, 1)), ...held]);
const settings = { dataset, head: 'linear' as const, trainable: 'all' as const };

await t.test(
  'without the native library the job says what to install',
  { skip: native && 'the native library is here' },
  async (t) => {
    await t.rejects(app.train({ ...settings, model: 'whole' }), {
      code: 'engine_unavailable',
      message: /@tensorflow\/tfjs-node.*TFJS_NODE=yes.*trainable top/,
    });
  },
);

for (const weights of ['pretrained', 'random'] as const) {
  await t.test(
    `from ${weights} weights all layers learn, and what is served is what was trained`,
    { skip: !native && 'the native library is not here: npm run test:tfjs-node' },
    async (t) => {
      const hyperparameters = { epochs: 8, early_stopping: 0, batch_size: 12 };
      const version = await app.train({ ...settings, model: weights, weights, hyperparameters });
      t.match(version, { top: { weights } });
      const report = await app.json<Report>(`/v1/models/${weights}/versions/1/report`);
      t.match(report.settings, { trainable: 'all', weights });
      const [first, last] = [report.curves[0]!, report.curves.at(-1)!];
      t.ok(
        last.train_loss < first.train_loss / 2,
        `the training loss falls from ${first.train_loss} to ${last.train_loss}`,
      );

      const images = held.slice(0, 4).map(({ bytes }) => bytes);
      const { results } = await app.json<{ results: { predictions: { label: string; score: number }[] }[] }>(
        `/v1/models/${weights}/predict?top_k=3`,
        {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ images: images.map((bytes) => bytes.toString('base64')) }),
        },
      );
      const served = results.flatMap(({ predictions }) =>
        LABELS.map((label) => predictions.find((row) => row.label === label)!.score),
      );
      const card = JSON.parse(readFileSync(join(PACKAGE_ROOT, 'models', 'rootstock_s', 'backbone.json'), 'utf8'));
      const pixels = await Promise.all(images.map((bytes) => decodeImage(bytes, card, { maxPixels: 1e6 })));
      const { body } = await app.send(`/v1/models/${weights}/versions/1/artifact?format=onnx`);
      const { probabilities } = await runOnnx(body, {
        data: new Uint8Array(Buffer.concat(pixels)),
        dims: [images.length, 96, 96, 3],
      });
      for (const [i, score] of served.entries()) t.ok(Math.abs(score - probabilities!.data[i]!) < 1e-4);
    },
  );
}
