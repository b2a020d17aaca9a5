/** Why an image got its label, and what is wrong with the data, over HTTP. */
import { createHash } from 'node:crypto';
import sharp from 'sharp';
import t from 'tap';
import { drawPhoto } from '../../src/drawing/draw-photo.js';
import type { DataFindings, Report } from '../../src/schemas/report.js';
import type { VersionManifest } from '../../src/schemas/versions.js';
import { form, isProblem } from '../helpers/http.js';
import { imageAppForTest } from '../helpers/image-app.js';
import { randomFrom } from '../helpers/photos.js';
import { COPIES } from '../helpers/planted.js';

interface Picture {
  width: number;
  height: number;
  png: string;
}
interface Explained {
  name: string;
  predictions: { label: string; score: number }[];
  explanation: {
    label: string;
    map: (Picture & { min: number; max: number; bias: number; logit: number }) | null;
    overlay: (Picture & { limit: number }) | null;
    no_map: string | null;
    nearest: { sha256: string; name: string; label: string; similarity: number }[];
    nearest_among: number;
  };
}

// Photos are drawn as SVG here; the service, in the same process, has told sharp to read none.
sharp.unblock({ operation: ['VipsForeignLoadSvg'] });

const LABELS = ['house', 'leaf', 'mug'] as const;
const { json, send, put, upload, train } = await imageAppForTest(t);
const files: { name: string; bytes: Buffer }[] = [];
for (const [kind, label] of LABELS.entries()) {
  for (let n = 0; n < 20; n += 1) {
    const bytes = await drawPhoto(label, randomFrom(100 * kind + n));
    files.push({ name: `${n % 5 === 0 ? 'test' : 'train'}/${label}/${n}.jpg`, bytes });
  }
}
const original = files.find(({ name }) => name === 'train/mug/7.jpg')!;
files.push({ name: 'test/leaf/copy.jpg', bytes: await COPIES['re-encoded']!(original.bytes) });
const dataset = await upload(files);
for (const head of ['linear', 'mlp'] as const) {
  await train({ dataset: dataset.id, model: head, head, seed: 1 });
}
const post = (path: string, body: Buffer = original.bytes) =>
  json<{ results: Explained[] }>(path, { method: 'POST', body });
const first = async (path: string, body?: Buffer) => (await post(path, body)).results[0]!;
const decoded = (picture: Picture) => sharp(Buffer.from(picture.png.replace('data:image/png;base64,', ''), 'base64'));

await t.test('for Accept: image/png the answer is the overlay, four times as wide and as high', async (t) => {
  const asPicture = (path: string, more: object = {}) =>
    send(path, { method: 'POST', body: original.bytes, headers: { accept: 'image/png' }, ...more });
  const { explanation } = await first('/v1/models/linear/predict?explain=true');
  const { width, height } = explanation.overlay!;
  for (const path of ['/v1/models/linear/predict?explain=true', '/v1/models/linear/predict']) {
    const answer = await asPicture(path);
    t.equal(answer.headers['content-type'], 'image/png');
    t.match(await sharp(answer.body).metadata(), { format: 'png', width: 4 * width, height: 4 * height });
    const [large, small] = await Promise.all(
      [sharp(answer.body), decoded(explanation.overlay!)].map((picture) => picture.resize(16, 16).raw().toBuffer()),
    );
    const apart = large!.reduce((sum, value, i) => sum + Math.abs(value - small![i]!), 0) / large!.length;
    t.ok(apart < 6, `it is the same picture: ${apart}`);
  }
  isProblem(t, await asPicture('/v1/models/mlp/predict'), 409, 'format_unavailable', 'a head that has no map');
  const { body, headers } = form(['a', 'b'].map((name) => ({ name, value: original.bytes, filename: `${name}.jpg` })));
  const two = await asPicture('/v1/models/linear/predict', { body, headers: { ...headers, accept: 'image/png' } });
  t.match(isProblem(t, two, 400, 'invalid_request', 'two images').detail, /2 images were sent/);
  const browser = await asPicture('/v1/models/linear/predict', { headers: { accept: 'text/html,image/png,*/*' } });
  t.match(browser.headers['content-type'], 'application/json');
});

await t.test('the map is the score spread over the image, and its pictures are what they say', async (t) => {
  const { predictions, explanation } = await first('/v1/models/linear/predict?explain=true');
  t.equal(explanation.label, predictions[0]!.label);
  const logits = new Map<string, number>();
  for (const label of LABELS) {
    const { explanation: one } = await first(`/v1/models/linear/predict?explain=true&class=${label}&nearest=0`);
    t.same([one.label, one.no_map, one.nearest], [label, null, []]);
    const map = one.map!;
    logits.set(label, map.logit);
    const { data, info } = await decoded(map)
      .toColourspace('grey16')
      .raw({ depth: 'ushort' })
      .toBuffer({ resolveWithObject: true });
    t.same([info.width, info.height], [map.width, map.height]);
    const greys = new Uint16Array(new Uint8Array(data).buffer);
    const values = [...greys].map((grey) => map.min + (grey / 65_535) * (map.max - map.min));
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    t.ok(Math.abs(mean + map.bias - map.logit) < 1e-3, `${mean} + ${map.bias} = ${map.logit}`);
    const overlay = await decoded(one.overlay!).metadata();
    t.same([overlay.format, overlay.width, overlay.height], ['png', 96, 96]);
    t.same([one.overlay!.width, one.overlay!.height], [96, 96]);
  }
  const sum = [...logits.values()].reduce((total, logit) => total + Math.exp(logit), 0);
  for (const { label, score } of predictions) {
    t.ok(Math.abs(Math.exp(logits.get(label)!) / sum - score) < 1e-4, `the scores of ${label} make its probability`);
  }
});

await t.test('the nearest training images are named; one that was in the training finds itself', async (t) => {
  const { explanation } = await first('/v1/models/linear/predict?explain=true&nearest=3');
  t.equal(explanation.nearest.length, 3);
  t.equal(explanation.nearest_among, files.filter(({ name }) => name.startsWith('train')).length);
  const [itself, next] = explanation.nearest;
  const sha256 = createHash('sha256').update(original.bytes).digest('hex');
  t.match(itself, { sha256, name: original.name, label: 'mug' });
  t.ok(itself!.similarity > 0.999);
  t.ok(next!.similarity < itself!.similarity);
  t.equal((await first('/v1/models/linear/predict?explain=true')).explanation.nearest.length, 5);
});

await t.test('it works by version and by alias, for several images, and changes no prediction', async (t) => {
  const asked = await first('/v1/models/linear/predict?explain=true');
  await put('/v1/models/linear/aliases/best', { version: 1 });
  for (const path of ['versions/1', 'aliases/best', 'aliases/latest']) {
    t.same(await first(`/v1/models/linear/${path}/predict?explain=true`), asked, path);
  }
  const plain = await first('/v1/models/linear/predict');
  t.notOk('explanation' in plain);
  t.same(plain.predictions, asked.predictions);
  const { body, headers } = form(
    files.slice(0, 3).map(({ name, bytes }) => ({ name: 'images', value: bytes, filename: name, type: 'image/jpeg' })),
  );
  const several = await send('/v1/models/linear/predict?explain=true&top_k=1', { method: 'POST', body, headers });
  const { results } = JSON.parse(several.text) as { results: Explained[] };
  t.same(
    results.slice(1).map(({ explanation }) => explanation.nearest[0]!.name),
    files.slice(1, 3).map(({ name }) => name),
    'the first is a test image',
  );
  t.ok(results.every(({ predictions, explanation }) => predictions.length === 1 && explanation.map));
});

await t.test('a head with a hidden layer has no map, and says so', async (t) => {
  const { explanation } = await first('/v1/models/mlp/predict?explain=true');
  t.match(explanation, { map: null, overlay: null, no_map: /hidden layer.*head linear/ });
  t.equal(explanation.nearest[0]!.name, original.name);
});

await t.test('the report says what is wrong with the data; the artifact does not name the photos', async (t) => {
  const report = await json<Report>('/v1/models/linear/versions/1/report');
  const data = report.data as DataFindings;
  t.match(data.near_duplicates, { compared: files.length, contradictions: 1, leaked_test_examples: 1 });
  t.match(data.near_duplicates.items[0], { across_splits: true, contradiction: true });
  t.same(data.near_duplicates.items[0]!.examples.map(({ name }) => name).sort(), ['test/leaf/copy.jpg', original.name]);
  t.equal(data.label_errors.judged, files.length);
  const card = await send('/v1/models/linear/versions/1/files/README.md');
  t.match(card.text, /What may be wrong with its data/);
  t.match(card.text, /One test image is a copy of training images/);
  const { files: stored } = await json<VersionManifest>('/v1/models/linear/versions/1');
  t.ok(stored.some(({ path }) => path === 'exemplars/features.bin'));
  const bundle = await send('/v1/models/linear/versions/1/artifact');
  t.notOk(bundle.body.includes('exemplars/'));
});
