/** A kind of content that nothing in src/ knows goes from its archive to predictions and downloads. */
import { join } from 'node:path';
import { Readable } from 'node:stream';
import t from 'tap';
import { fromBufferPromise } from 'yauzl';
import { Artifacts } from '../../src/artifacts/artifacts.js';
import { Backbones } from '../../src/backbones/backbones.js';
import { FeatureCache } from '../../src/backbones/feature-cache.js';
import { Predictor } from '../../src/prediction/predictor.js';
import { Registry } from '../../src/registry/registry.js';
import type { JobSettings } from '../../src/schemas/jobs.js';
import type { Report } from '../../src/schemas/report.js';
import { HELD_OUT_FILE, readHeldOut } from '../../src/training/held-out.js';
import { runTraining } from '../../src/training/run-training.js';
import { zip } from '../helpers/archives.js';
import { IMAGES } from '../helpers/backbones.js';
import { datasetsIn } from '../helpers/datasets.js';
import { photo, randomFrom } from '../helpers/photos.js';
import { TEXT_CARD, TEXT_SOURCE, textModality } from '../helpers/text-modality.js';

const TENANT = 'default';
const WORDS = {
  kitchen: 'pan stove knife soup salt oven flour plate spoon recipe'.split(' '),
  garden: 'soil spade rose hedge seed rain lawn bulb fence beetle'.split(' '),
};
const COMMON = 'the a of and to in it is was for'.split(' ');

function textOf(label: keyof typeof WORDS, seed: number): string {
  const random = randomFrom(seed);
  const one = (list: string[]) => list[Math.floor(random() * list.length)]!;
  return Array.from({ length: 20 }, (_, i) => one(i % 3 === 0 ? WORDS[label] : COMMON)).join(' ');
}

const labels = Object.keys(WORDS) as (keyof typeof WORDS)[];
const passes = { texts: 0 };
const texts = textModality(passes);
const folder = t.testdir();
const { datasets, storage } = datasetsIn(folder, { modalities: [IMAGES, texts] });
const backbones = new Backbones({ source: TEXT_SOURCE, modalities: [IMAGES, texts], threads: 2 });
const registry = new Registry({ storage });
const cache = await FeatureCache.open({ folder: join(folder, 'cache'), maxBytes: 1e8 });
t.teardown(() => cache.close());
const files = labels.flatMap((label, k) =>
  Array.from({ length: 40 }, (_, i) => ({ name: `${label}/${i}.txt`, bytes: textOf(label, 100 * k + i + 1) })),
);
const archive = zip([
  ...files,
  { name: 'kitchen/broken.txt', bytes: 'a\0' },
  { name: 'garden/copy.txt', bytes: `${files[40]!.bytes} `.toUpperCase() },
]);
const dataset = await datasets.create({
  tenant: TENANT,
  by: 'local',
  source: Readable.from([archive]),
  name: 'notes.zip',
});
const train = (settings: Partial<JobSettings>) =>
  runTraining({
    tenant: TENANT,
    job: `job_${settings.model ?? 'notes'}`,
    dataset: dataset.id,
    settings: { model: 'notes', backbone: TEXT_CARD.id, ...settings },
    datasets,
    registry,
    backbones,
    cache,
    onProgress: () => undefined,
    onEvent: () => undefined,
  });
const manifest = await train({});
const reportOf = async (of = manifest) => JSON.parse(String(await registry.read(TENANT, of, 'report.json'))) as Report;
const heldOutOf = async (of = manifest) =>
  (await readHeldOut((await registry.open(TENANT, of, HELD_OUT_FILE)).stream, { limit: 1000 })).data;
const predictor = new Predictor({
  backbones,
  registry,
  maxBatch: 0,
  maxWaiting: 100,
  headCacheBytes: 1e7,
  decoders: 2,
});
const example = (label: keyof typeof WORDS, seed: number) => ({
  name: `${label}.txt`,
  bytes: Buffer.from(textOf(label, seed)),
});

t.test('the data set says what it holds, and the version what it was trained on', async (t) => {
  t.match(dataset, { modality: 'text', examples: 81, refused: [{ name: 'kitchen/broken.txt' }] });
  t.match(manifest, { labels: ['garden', 'kitchen'], backbone: { id: 'words_512', dimensions: 512 } });
  const report = await reportOf();
  t.ok(report.evaluation!.accuracy > 0.9, `accuracy ${report.evaluation!.accuracy}`);
  t.match(report.settings, { recipe: 'words-1' });
  t.equal(report.data!.near_duplicates.total, 1, 'the copy in capitals is found by what the modality compares');
  t.equal(passes.texts, 81, 'each went through the backbone once');
  t.equal(cache.get({ content: '', backbone: TEXT_CARD.sha256, recipe: 'words-1', variation: '' }, 512), undefined);
});

t.test('what it said of held-out texts can be read, and no file of a version speaks of another kind', async (t) => {
  const { evaluation } = await reportOf();
  const data = await heldOutOf();
  t.equal(data.length, evaluation!.examples);
  const right = data.filter(({ labels, predicted }) => labels.includes(predicted));
  t.equal(right.length / data.length, evaluation!.accuracy);
  for (const { path } of manifest.files) {
    if (!/\.(json|svg|md|ndjson)$/.test(path)) continue;
    t.notMatch(String(await registry.read(TENANT, manifest, path)), /\bimages?\b|photo|pixel/i, path);
  }
});

t.test('without a test part every training example is answered out of fold', async (t) => {
  const other = await train({ model: 'folded', test_fraction: 0 });
  const { evaluation, split } = await reportOf(other);
  t.equal(evaluation!.on, 'cross_validation');
  t.equal(split.train, 81);
  t.equal((await heldOutOf(other)).length, 81);
});

t.test('texts of all requests are classified together, and explained by what they resemble', async (t) => {
  const examples = labels.flatMap((label) => [1, 2, 3].map((i) => example(label, 5000 + i)));
  const { results } = await predictor.predict({
    tenant: TENANT,
    manifest,
    examples,
    topK: 1,
    explain: { label: undefined, nearest: 3 },
  });
  t.same(
    results.map(({ predictions }) => predictions[0]!.label),
    ['kitchen', 'kitchen', 'kitchen', 'garden', 'garden', 'garden'],
  );
  const [first] = results;
  t.same(Object.keys(first!.explanation!).sort(), ['label', 'nearest', 'nearest_among']);
  t.match(first!.explanation, { label: 'kitchen', nearest: [{ label: 'kitchen' }, {}, {}] });
  t.equal(first!.explanation!.nearest_among, (await reportOf()).split.final_fit);
});

t.test('content of another kind is refused by the backbone, and named', async (t) => {
  const examples = [example('garden', 1), { name: 'photo.jpg', bytes: await photo(0, 1) }];
  await t.rejects(predictor.predict({ tenant: TENANT, manifest, examples, topK: 1 }), {
    code: 'content_unsupported',
    message: 'photo.jpg: This is not a text. Texts are accepted.',
    details: { examples: [{ index: 1, name: 'photo.jpg' }] },
  });
});

t.test(
  'it is downloaded with a README in its own words; as ONNX it is not to be had, and a sentence says so',
  async (t) => {
    const artifacts = new Artifacts({ registry, backbones });
    const { pieces } = await artifacts.create(TENANT, manifest, 'bundle');
    const names: string[] = [];
    for await (const { fileName } of (await fromBufferPromise(Buffer.concat(pieces))).eachEntry()) names.push(fileName);
    t.ok(names.includes('head/sparse.json'));
    const readme = String(await registry.read(TENANT, manifest, 'README.md'));
    t.match(readme, /A classifier of texts for 2 classes/);
    t.match(readme, /Split the text at spaces/);
    t.notMatch(readme, /image|photo|pixel/i);
    for (const format of ['onnx', 'tfjs'] as const) {
      await t.rejects(artifacts.create(TENANT, manifest, format), {
        code: 'format_unavailable',
        message: /format bundle/,
      });
    }
  },
);

t.test('what its backbones cannot do is refused before any work', async (t) => {
  await t.rejects(train({ model: 'other', hyperparameters: { augmentation: {} } }), {
    code: 'setting_conflict',
    message: /are texts are not varied/,
  });
  await t.rejects(train({ model: 'other', trainable: 'top' }), {
    code: 'setting_conflict',
    message: /No part of backbone 'words_512' can be trained/,
  });
});
