/** Which backbone suits a data set, tried on its own examples. */
import { writeFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { EmbeddedBackbones } from '../../src/backbones/embedded.js';
import { FeatureCache } from '../../src/backbones/feature-cache.js';
import { PACKAGE_ROOT } from '../../src/config.js';
import type { JobEvent } from '../../src/schemas/jobs.js';
import { recommendBackbone } from '../../src/training/recommend.js';
import { replica } from '../helpers/architectures.js';
import { importInto } from '../helpers/backbones.js';
import { imageAppForTest } from '../helpers/image-app.js';
import { photos } from '../helpers/photos.js';

t.test('each installed backbone is tried; the answer says how good, how fast, and which to take', async (t) => {
  const folder = t.testdir({ models: {}, cache: {} });
  const models = join(folder, 'models');
  await cp(join(PACKAGE_ROOT, 'models', 'rootstock_s'), join(models, 'rootstock_s'), { recursive: true });
  const file = join(folder, 'random.onnx');
  writeFileSync(file, replica('mobilenet', 'torch').file);
  await importInto(models, { file, id: 'random', preset: 'imagenet' });
  const app = await imageAppForTest(t, { source: new EmbeddedBackbones({ folder: models }) });
  const dataset = await app.upload(await photos(['apple', 'birch', 'cloud', 'delta'], [90, 60, 60, 12]));
  const cache = await FeatureCache.open({ folder: join(folder, 'cache'), maxBytes: 2 ** 28 });
  t.teardown(() => cache.close());
  const shares: number[] = [];
  const events: Pick<JobEvent, 'message'>[] = [];
  const { data, examples, backbone, sentence } = await recommendBackbone({
    tenant: 'default',
    dataset: dataset.id,
    datasets: app.datasets,
    backbones: app.backbones,
    cache,
    standard: 'rootstock_s',
    onProgress: (share) => shares.push(share),
    onEvent: (event) => events.push(event),
  });
  t.equal(examples, 200);
  t.same(data.map((row) => row.backbone).sort(), ['random', 'rootstock_s']);
  t.ok(data[0]!.accuracy >= data[1]!.accuracy, 'the most accurate first');
  for (const row of data) {
    t.ok(row.accuracy > 0.3 && row.accuracy <= 1, `${row.backbone}: ${row.accuracy}`);
    const [low, high] = row.accuracy_interval as [number, number];
    t.ok(low <= row.accuracy && row.accuracy <= high + 1e-9 && low > 0);
    t.ok(row.examples_per_second > 0);
  }
  t.ok(data.some((row) => row.backbone === backbone));
  t.match(sentence, new RegExp(`Take ${backbone} .*% right, \\d+ a second`));
  t.same(shares, [0.5, 1]);
  t.match(events, [{ message: /Trying/ }, { message: /Trying/ }]);

  const answer = await app.post('/v1/backbones/recommend', { dataset: dataset.id });
  t.equal(answer.status, 202, answer.text);
  t.match(JSON.parse(answer.text), { kind: 'recommend', dataset: dataset.id, status: 'queued' });
  const again = await app.post('/v1/backbones/recommend', { dataset: dataset.id });
  t.equal(JSON.parse(again.text).id, JSON.parse(answer.text).id, 'one at a time');
  t.equal((await app.post('/v1/backbones/recommend', { dataset: 'ds_00000000000000000000000000' })).status, 404);
  const one = await app.upload(await photos(['alone'], 3));
  t.match(JSON.parse((await app.post('/v1/backbones/recommend', { dataset: one.id })).text), {
    code: 'too_few_classes',
  });
});
