/** The top of a backbone is trained, served and handed out, over the API alone. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { fromBufferPromise } from 'yauzl';
import { decodeImage } from '../../src/backbones/image/pixels.js';
import { PACKAGE_ROOT } from '../../src/config.js';
import type { Report } from '../../src/schemas/report.js';
import type { VersionManifest } from '../../src/schemas/versions.js';
import { isProblem } from '../helpers/http.js';
import { imageAppForTest } from '../helpers/image-app.js';
import { runOnnx } from '../helpers/onnx-run.js';
import { photos } from '../helpers/photos.js';

const LABELS = ['apple', 'birch', 'cloud'];
const app = await imageAppForTest(t);
const { json, send, upload, train } = app;
const files = await photos(LABELS, 6);
const test = await photos(LABELS, 4, { seed: 5 });
/** Every fourth photo lies in the folder of the next class, so that no model is sure. */
const labelOf = (name: string, i: number) => {
  const index = LABELS.indexOf(name.split('/')[0]!);
  return LABELS[(index + (i % 4 === 0 ? 1 : 0)) % LABELS.length]!;
};
const named = (part: string, list: typeof files) =>
  list.map(({ name, bytes }, i) => ({ name: `${part}/${labelOf(name, i)}/${i}.jpg`, bytes }));
const dataset = await upload([...named('train', files), ...named('test', test)]);
const settings = {
  model: 'leaves',
  seed: 3,
  head: 'linear' as const,
  trainable: 'top' as const,
  hyperparameters: { trainable_blocks: 1, epochs: 2, learning_rate: 3e-4, batch_size: 16, early_stopping: 0 },
};

interface Answer {
  results: { predictions: { label: string; score: number }[] }[];
}
const LIST = '?top_k=3';
const scoresOf = ({ predictions }: Answer['results'][number]) =>
  LABELS.map((label) => predictions.find((row) => row.label === label)!.score);
const predict = async (model: string, images: Buffer[]) => {
  const body = JSON.stringify({ images: images.map((image) => image.toString('base64')) });
  const headers = { 'content-type': 'application/json' };
  const { results } = await json<Answer>(`/v1/models/${model}/predict${LIST}`, { method: 'POST', body, headers });
  return results.map(scoresOf);
};

await t.test('the report compares the trained top with the frozen backbone, on the same images', async (t) => {
  const manifest = await train({ dataset: dataset.id, ...settings });
  t.match(manifest, { top: { blocks: 1, weights: 'pretrained', cut: { tensor: 'map_3' } } });
  const report = await json<Report>('/v1/models/leaves/versions/1/report');
  t.match(report.settings, { trainable: 'top', trainable_blocks: 1, weights: 'pretrained', optimizer: 'adam' });
  const compared = report.candidates.filter(({ test_accuracy }) => test_accuracy !== undefined);
  t.same(
    compared.map(({ trainable }) => trainable),
    [undefined, 'top'],
  );
  t.equal(compared[1]!.test_accuracy, report.evaluation!.accuracy);
});

await t.test('what is served is what was evaluated, alone and in a batch', async (t) => {
  const report = await json<Report>('/v1/models/leaves/versions/1/report');
  const images = test.map(({ bytes }) => bytes);
  const together = await predict('leaves', images);
  const alone: number[][] = [];
  for (const image of images.slice(0, 4)) alone.push(...(await predict('leaves', [image])));
  t.same(alone, together.slice(0, 4));
  const loss =
    together.reduce((sum, scores, i) => sum - Math.log(scores[LABELS.indexOf(labelOf(test[i]!.name, i))]!), 0) /
    images.length;
  const expected = report.evaluation!.log_loss;
  t.ok(expected > 0.05 && Math.abs(loss - expected) < 1e-4 * expected, `log-loss ${loss}, evaluated ${expected}`);
});

await t.test('onnx answers the same from pixels; tfjs is refused with a sentence', async (t) => {
  const images = test.slice(0, 5).map(({ bytes }) => bytes);
  const card = JSON.parse(readFileSync(join(PACKAGE_ROOT, 'models', 'rootstock_s', 'backbone.json'), 'utf8'));
  const pixels = await Promise.all(images.map((bytes) => decodeImage(bytes, card, { maxPixels: 1e6 })));
  const { body: model } = await send('/v1/models/leaves/versions/1/artifact?format=onnx');
  const { probabilities } = await runOnnx(model, {
    data: new Uint8Array(Buffer.concat(pixels)),
    dims: [5, 96, 96, 3],
  });
  const served = (await predict('leaves', images)).flat();
  for (const [i, value] of served.entries()) t.ok(Math.abs(value - probabilities!.data[i]!) < 1e-4);
  const tfjs = await send('/v1/models/leaves/versions/1/artifact?format=tfjs');
  isProblem(t, tfjs, 409, 'format_unavailable');
  const bundle = await send('/v1/models/leaves/versions/1/artifact');
  const packed = await fromBufferPromise(bundle.body);
  const names: string[] = [];
  for await (const { fileName } of packed.eachEntry()) names.push(fileName);
  t.ok(names.includes('top/weights.bin') && names.includes('top/weights.json'));
});

await t.test('the same job again gives the same model; random weights another', async (t) => {
  const { digest } = await json<VersionManifest>('/v1/models/leaves/versions/1');
  t.equal((await train({ dataset: dataset.id, ...settings, model: 'again' })).digest, digest);
  const chance = await train({ dataset: dataset.id, ...settings, model: 'chance', weights: 'random' });
  t.not(chance.digest, digest);
  t.match(chance, { top: { weights: 'random' } });
  const images = test.slice(0, 3).map(({ bytes }) => bytes);
  t.notSame(await predict('chance', images), await predict('leaves', images));
});

await t.test('settings that contradict each other are refused before the queue', async (t) => {
  const post = (body: object) => app.post('/v1/jobs', { dataset: dataset.id, model: 'no', ...body });
  for (const body of [
    { weights: 'random' },
    { hyperparameters: { trainable_blocks: 2 } },
    { trainable: 'top', hyperparameters: { optimizer: 'lbfgs' } },
  ]) {
    isProblem(t, await post(body), 422, 'setting_conflict');
  }
  const deep = await post({ trainable: 'top', hyperparameters: { trainable_blocks: 90 } });
  t.match(
    isProblem(t, deep, 422, 'setting_conflict').detail,
    /At most \d+ blocks.*'rootstock_s'.*Lower trainable_blocks/,
  );
});
