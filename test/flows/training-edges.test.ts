/** Small, large, lopsided and strangely named data sets; settings out of bounds: a model or a clear error. */
import t from 'tap';
import type { Dataset } from '../../src/schemas/datasets.js';
import type { Job } from '../../src/schemas/jobs.js';
import type { Report } from '../../src/schemas/report.js';
import type { VersionManifest } from '../../src/schemas/versions.js';
import { isProblem, send } from '../helpers/http.js';
import { photo, photos, submit, upload } from '../helpers/photos.js';
import { serviceForTest } from '../helpers/service.js';

const service = await serviceForTest(t);
const { url, json, ended } = service;
const post = (body: unknown) =>
  send(url, '/v1/jobs', {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json' },
  });
const plain = await upload(service, await photos(['a', 'b'], 8));

async function trained(settings: Parameters<typeof submit>[1]): Promise<Job> {
  return ended((await submit(service, settings)).id);
}

t.test('one class, or one image, is refused before it waits in the queue', async (t) => {
  const oneClass = await upload(service, await photos(['only'], 6));
  const refused = isProblem(t, await post({ dataset: oneClass.id, model: 'm' }), 422, 'too_few_classes', 'one class');
  t.match(refused.detail, /only/);
  const oneImage = await upload(service, await photos(['only'], 1));
  t.equal(oneImage.examples, 1);
  isProblem(t, await post({ dataset: oneImage.id, model: 'm' }), 422, 'too_few_classes', 'one image');
});

for (const [labels, perClass] of [
  [['a', 'b'], 1],
  [['a', 'b'], 2],
  [['a', 'b', 'c', 'd', 'e'], 1],
  [['a', 'b', 'c'], 2],
  [
    ['a', 'b', 'c'],
    [1, 2, 9],
  ],
] as [string[], number | number[]][]) {
  for (const head of perClass === 1 && labels.length === 2
    ? (['auto', 'linear', 'mlp', 'prototype'] as const)
    : ['auto' as const]) {
    t.test(`${labels.length} classes of ${perClass} images give a model (head ${head})`, async (t) => {
      const dataset = await upload(service, await photos(labels, perClass, { seed: 3 }));
      const model = `few-${labels.length}-${String(perClass).replaceAll(',', '-')}-${head}`;
      const job = await trained({ dataset: dataset.id, model, head });
      t.equal(job.status, 'succeeded', JSON.stringify(job.error));
      const answer = await send(url, `/v1/models/${model}/predict`, { method: 'POST', body: await photo(1, 5) });
      const { predictions } = JSON.parse(answer.text).results[0] as { predictions: { score: number }[] };
      t.equal(predictions.length, labels.length);
      t.ok(
        predictions.every(({ score }) => score >= 0 && score <= 1),
        answer.text,
      );
      const report = await json<Report>(`/v1/models/${model}/versions/1/report`);
      t.ok(report.warnings.length > 0, 'the report warns');
      if (report.evaluation === null) t.equal(job.accuracy, null);
      const svg = await send(url, `/v1/models/${model}/versions/1/report/curves.svg`);
      t.equal(svg.status, head === 'prototype' ? 404 : 200, 'prototypes are not fitted in epochs');
      const card = await send(url, `/v1/models/${model}/versions/1/artifact`);
      t.equal(card.status, 200);
    });
  }
}

t.test('1,000 classes of two tiny images are trained in reasonable time', async (t) => {
  const labels = Array.from({ length: 1000 }, (_, k) => `class ${String(k).padStart(4, '0')}`);
  const dataset = await upload(service, await photos(labels, 2, { size: 32 }), { as: 'tar' });
  t.equal(dataset.class_count, 1000);
  const began = Date.now();
  const job = await trained({ dataset: dataset.id, model: 'thousand' });
  const seconds = (Date.now() - began) / 1000;
  t.equal(job.status, 'succeeded', JSON.stringify(job.error));
  const { timings, evaluation } = await json<Report>('/v1/models/thousand/versions/1/report');
  t.comment(
    `1,000 classes × 2 images: ${seconds.toFixed(1)} s (features ${timings.features_seconds.toFixed(1)} s, head ${timings.head_seconds.toFixed(1)} s), accuracy ${evaluation?.accuracy}`,
  );
  t.ok(seconds < 90, `${seconds} s`);
  const answer = await send(url, '/v1/models/thousand/predict?top_k=1000', {
    method: 'POST',
    body: await photo(1, 5),
  });
  t.equal(JSON.parse(answer.text).results[0].predictions.length, 1000);
  t.equal((await send(url, '/v1/models/thousand/versions/1/report/confusion.svg')).status, 200);
});

t.test('one image of a class for every hundred of another: both classes are learned', async (t) => {
  const dataset = await upload(service, await photos(['many', 'few'], [200, 2], { seed: 4 }));
  for (const weights of ['auto', 'balanced'] as const) {
    const model = `lopsided-${weights}`;
    const job = await trained({ dataset: dataset.id, model, hyperparameters: { class_weights: weights } });
    t.equal(job.status, 'succeeded', JSON.stringify(job.error));
    const { evaluation } = await json<Report>(`/v1/models/${model}/versions/1/report`);
    t.equal(evaluation!.classes.length, 2);
    const answer = await send(url, `/v1/models/${model}/predict`, { method: 'POST', body: await photo(1, 400_000) });
    t.equal(JSON.parse(answer.text).results[0].predictions[0].label, 'few', `${weights}: ${answer.text}`);
  }
});

t.test('labels may be any text a folder can be called', async (t) => {
  const labels = ['__proto__', 'constructor', 'CON', '😀', 'two words', 'naïve', 'hasOwnProperty', 'toString', '0'];
  const dataset = await upload(service, await photos(labels, 5));
  t.same(dataset.classes.map(({ label }) => label).sort(), labels.toSorted());
  const class_weights = JSON.parse('{"__proto__": 2, "constructor": 0.5, "😀": 1}');
  const job = await trained({ dataset: dataset.id, model: 'names', hyperparameters: { class_weights } });
  t.equal(job.status, 'succeeded', JSON.stringify(job.error));
  const manifest = await json<VersionManifest>('/v1/models/names/versions/1');
  t.same(manifest.labels, labels.toSorted());
  const report = await json<Report>('/v1/models/names/versions/1/report');
  t.same(report.evaluation!.confusion.labels, labels.toSorted());
  for (const [kind, label] of labels.entries()) {
    const answer = await send(url, '/v1/models/names/predict', { method: 'POST', body: await photo(kind, 0) });
    t.equal(JSON.parse(answer.text).results[0].predictions[0].label, label);
  }
  const svg = await send(url, '/v1/models/names/versions/1/report/confusion.svg');
  for (const label of ['__proto__', 'constructor', 'hasOwnProperty', '😀']) t.match(svg.text, label);
});

t.test('an image that cannot be decoded is refused at upload, by name; the others are trained on', async (t) => {
  const files = await photos(['a', 'b'], 5, { seed: 6 });
  const good = files[0]!.bytes;
  const dataset: Dataset = await upload(service, [
    ...files,
    { name: 'a/cut.jpg', bytes: good.subarray(0, good.length >> 1) },
    { name: 'b/text.png', bytes: Buffer.from('not an image') },
    { name: 'b/empty.jpg', bytes: Buffer.alloc(0) },
  ]);
  t.equal(dataset.examples, 10);
  t.same(dataset.refused.map(({ name }) => name).sort(), ['a/cut.jpg', 'b/empty.jpg', 'b/text.png']);
  t.ok(dataset.refused.every(({ code, reason }) => code.startsWith('content_') && reason.length > 10));
  t.equal((await trained({ dataset: dataset.id, model: 'partly' })).status, 'succeeded');
});

t.test('a setting out of bounds is answered 400 with the name of the field', async (t) => {
  const wrong: Record<string, unknown[]> = {
    'hyperparameters.optimizer': ['sgd', 1, null],
    'hyperparameters.epochs': [0, 10_001, 1.5, '5', null, [], -1],
    'hyperparameters.batch_size': [0, 65_537, 0.5, 'many'],
    'hyperparameters.learning_rate': [0, -1, 10.1, '0.1', null],
    'hyperparameters.weight_decay': [-0.1, 1001, '1'],
    'hyperparameters.dropout': [-0.1, 0.96, 1, true],
    'hyperparameters.hidden_units': [0, 4097, 1.5],
    'hyperparameters.early_stopping': [-1, 1001, 2.5],
    'hyperparameters.class_weights': ['heavy', 3, { a: -1 }, { a: 1e7 }, { a: 'x' }],
    'hyperparameters.augmentation': ['yes', 1, [], true],
    'hyperparameters.augmentation.copies': [0, 21, 1.5, '2'],
    'hyperparameters.augmentation.flip': ['yes', 1],
    'hyperparameters.augmentation.crop': [-0.1, 0.91],
    'hyperparameters.augmentation.zoom': [-0.1, 0.91],
    'hyperparameters.augmentation.rotation': [-1, 181],
    'hyperparameters.augmentation.shear': [-0.1, 0.91],
    'hyperparameters.augmentation.unknown': [1],
    'hyperparameters.unknown': [1],
    hyperparameters: ['auto', [], null, 5],
    head: ['svm', 1, null],
    seed: [-1, 4_294_967_296, 1.5, '1', null],
    validation_fraction: [-0.1, 0.51, '0.2'],
    test_fraction: [-0.1, 0.51, null],
    refit: ['some', true],
    description: ['x'.repeat(2001), 5],
    model: ['', 'Upper', '../up', 'a/b', 'x'.repeat(65), 5, null, '.dot', 'ü'],
    backbone: ['Upper Case', 5, '../x'],
    dataset: ['', 'ds_1', 5, null, '../../x'],
    unknown: [1],
  };
  for (const [field, values] of Object.entries(wrong)) {
    for (const value of values) {
      const path = field.split('.');
      const body: Record<string, unknown> = { dataset: plain.id, model: 'm' };
      let place = body;
      for (const name of path.slice(0, -1)) {
        place[name] = {};
        place = place[name] as Record<string, unknown>;
      }
      place[path.at(-1)!] = value;
      const what = `${field} = ${JSON.stringify(value).slice(0, 40)}`;
      const problem = isProblem(t, await post(body), 400, 'invalid_request', what);
      const named = problem.errors?.some(({ path: at }) => at === field || at.startsWith(`${field}.`));
      t.ok(named, `${what} names the field: ${JSON.stringify(problem.errors)}`);
    }
  }
  for (const missing of ['dataset', 'model']) {
    const body: Record<string, unknown> = { dataset: plain.id, model: 'm' };
    delete body[missing];
    const problem = isProblem(t, await post(body), 400, 'invalid_request', `without ${missing}`);
    t.same(
      problem.errors!.map(({ path }) => path),
      [missing],
    );
  }
  t.same(
    (await json<{ data: Job[] }>('/v1/jobs?limit=1000')).data.filter(({ model }) => model === 'm'),
    [],
  );
});

t.test('settings that contradict each other, or the data set, are answered 422', async (t) => {
  for (const [what, settings] of Object.entries({
    'lbfgs with mlp': { head: 'mlp', hyperparameters: { optimizer: 'lbfgs' } },
    'lbfgs with a rate': { hyperparameters: { optimizer: 'lbfgs', learning_rate: 0.1 } },
    'lbfgs with a batch size': { hyperparameters: { optimizer: 'lbfgs', batch_size: 16 } },
    'linear with hidden units': { head: 'linear', hyperparameters: { hidden_units: 16 } },
    'linear with dropout': { head: 'linear', hyperparameters: { dropout: 0.5 } },
    'weight of an unknown class': { hyperparameters: { class_weights: { zebra: 2 } } },
    'weight of a class that is no own property': { hyperparameters: { class_weights: { toString: 2 } } },
  })) {
    isProblem(t, await post({ dataset: plain.id, model: 'm', ...settings }), 422, 'setting_conflict', what);
  }
  isProblem(t, await post({ dataset: plain.id, model: 'm', backbone: 'nope' }), 404, 'backbone_not_found', 'backbone');
});

t.test('the bounds themselves are accepted: each ends as a model or as a clear error', async (t) => {
  const [least, most] = [
    { epochs: 1, batch_size: 1, learning_rate: 1e-9, weight_decay: 0, dropout: 0, hidden_units: 1, early_stopping: 0 },
    { epochs: 3, batch_size: 65_536, learning_rate: 10, weight_decay: 1000, dropout: 0.95, hidden_units: 4096 },
  ];
  for (const hyperparameters of [least, most]) {
    const job = await trained({ dataset: plain.id, model: 'bounds', head: 'mlp', hyperparameters });
    t.ok(job.status === 'succeeded' || job.error?.code === 'training_diverged', JSON.stringify(job.error));
  }
  const job = await trained({
    dataset: plain.id,
    model: 'bounds',
    seed: 4_294_967_295,
    test_fraction: 0,
    validation_fraction: 0.5,
    refit: 'all',
    hyperparameters: {
      weight_decay: 1,
      augmentation: { copies: 1, flip: true, crop: 0.9, zoom: 0.9, rotation: 180, shear: 0.9 },
    },
  });
  t.equal(job.status, 'succeeded', JSON.stringify(job.error));
});

t.test('the report says what augmentation brought, on images that neither fit has seen', async (t) => {
  const hyperparameters = { augmentation: { copies: 3 } };
  const job = await trained({ dataset: plain.id, model: 'augmented', test_fraction: 0.5, hyperparameters });
  t.equal(job.status, 'succeeded', JSON.stringify(job.error));
  const report = await json<Report>('/v1/models/augmented/versions/1/report');
  const gained = report.augmentation!;
  t.equal(gained.copies, 3 * report.split.train);
  t.equal(gained.accuracy, report.evaluation!.accuracy);
  const without = await trained({ dataset: plain.id, model: 'augmented', test_fraction: 0.5 });
  t.equal(gained.accuracy_without, without.accuracy, 'as a job without it answers');
  t.equal(gained.gain_points, 100 * (gained.accuracy - gained.accuracy_without));
  t.equal((await json<Report>('/v1/models/augmented/versions/2/report')).augmentation, null);
});
