/** Small, large, lopsided and strangely named data sets; settings out of bounds: a model or a clear error. */
import t from 'tap';
import { EmbeddedBackbones } from '../../src/backbones/embedded.js';
import { AppError } from '../../src/errors.js';
import type { Job } from '../../src/schemas/jobs.js';
import type { Report } from '../../src/schemas/report.js';
import { isProblem } from '../helpers/http.js';
import { imageAppForTest } from '../helpers/image-app.js';
import { photo, photos } from '../helpers/photos.js';
import { tinyBackbone } from '../helpers/tiny-backbone.js';

// It is what lies behind the backbone that is tried here: a tiny one will do.
const { MODELS_DIR, DEFAULT_BACKBONE } = await tinyBackbone(t);
const app = await imageAppForTest(t, {
  source: new EmbeddedBackbones({ folder: MODELS_DIR }),
  env: { DEFAULT_BACKBONE },
});
const { json, send, upload, train } = app;
const post = (body: unknown) => app.post('/v1/jobs', body);
const predict = (model: string, body: Buffer, query = '') =>
  send(`/v1/models/${model}/predict${query}`, { method: 'POST', body });
const plain = await upload(await photos(['a', 'b'], 8));

t.test('one class, or one image, is refused before it waits in the queue', async (t) => {
  const oneClass = await upload(await photos(['only'], 6));
  const refused = isProblem(t, await post({ dataset: oneClass.id, model: 'm' }), 422, 'too_few_classes', 'one class');
  t.match(refused.detail, /only/);
  const oneImage = await upload(await photos(['only'], 1));
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
      const dataset = await upload(await photos(labels, perClass, { seed: 3 }));
      const model = `few-${labels.length}-${String(perClass).replaceAll(',', '-')}-${head}`;
      const { accuracy } = await train({ dataset: dataset.id, model, head });
      const answer = await predict(model, await photo(1, 5));
      const { predictions } = JSON.parse(answer.text).results[0] as { predictions: { score: number }[] };
      t.equal(predictions.length, labels.length);
      t.ok(
        predictions.every(({ score }) => score >= 0 && score <= 1),
        answer.text,
      );
      const report = await json<Report>(`/v1/models/${model}/versions/1/report`);
      t.ok(report.warnings.length > 0, 'the report warns');
      if (report.evaluation === null) t.equal(accuracy, null);
      const svg = await send(`/v1/models/${model}/versions/1/report/curves.svg`);
      t.equal(svg.status, head === 'prototype' ? 404 : 200, 'prototypes are not fitted in epochs');
      const card = await send(`/v1/models/${model}/versions/1/artifact`);
      t.equal(card.status, 200);
    });
  }
}

t.test('hundreds of classes of two tiny images are trained in reasonable time', async (t) => {
  const labels = Array.from({ length: 400 }, (_, k) => `class ${String(k).padStart(3, '0')}`);
  const dataset = await upload(await photos(labels, 2, { size: 16 }));
  t.equal(dataset.class_count, 400);
  const began = Date.now();
  await train({ dataset: dataset.id, model: 'hundreds' });
  const seconds = (Date.now() - began) / 1000;
  const { timings, evaluation } = await json<Report>('/v1/models/hundreds/versions/1/report');
  t.comment(
    `400 classes × 2 images: ${seconds.toFixed(1)} s (features ${timings.features_seconds.toFixed(1)} s, head ${timings.head_seconds.toFixed(1)} s), accuracy ${evaluation?.accuracy}`,
  );
  t.ok(seconds < 60, `${seconds} s`);
  const answer = await predict('hundreds', await photo(1, 5), '?top_k=400');
  t.equal(JSON.parse(answer.text).results[0].predictions.length, 400);
  t.equal((await send('/v1/models/hundreds/versions/1/report/confusion.svg')).status, 200);
});

t.test('one image of a class for every hundred of another: both classes are learned', async (t) => {
  const dataset = await upload(await photos(['many', 'few'], [200, 2], { seed: 4 }));
  for (const weights of ['auto', 'balanced'] as const) {
    const model = `lopsided-${weights}`;
    await train({ dataset: dataset.id, model, hyperparameters: { class_weights: weights } });
    const { evaluation } = await json<Report>(`/v1/models/${model}/versions/1/report`);
    t.equal(evaluation!.classes.length, 2);
    const answer = await predict(model, await photo(1, 400_000));
    t.equal(JSON.parse(answer.text).results[0].predictions[0].label, 'few', `${weights}: ${answer.text}`);
  }
});

t.test('labels may be any text a folder can be called', async (t) => {
  const labels = ['__proto__', 'constructor', 'CON', '😀', 'two words', 'naïve', 'hasOwnProperty', 'toString', '0'];
  const dataset = await upload(await photos(labels, 5));
  t.same(dataset.classes.map(({ label }) => label).sort(), labels.toSorted());
  const class_weights = JSON.parse('{"__proto__": 2, "constructor": 0.5, "😀": 1}');
  const manifest = await train({ dataset: dataset.id, model: 'names', hyperparameters: { class_weights } });
  t.same(manifest.labels, labels.toSorted());
  const report = await json<Report>('/v1/models/names/versions/1/report');
  t.same(report.evaluation!.confusion.labels, labels.toSorted());
  for (const [kind, label] of labels.entries()) {
    const answer = await predict('names', await photo(kind, 0));
    t.equal(JSON.parse(answer.text).results[0].predictions[0].label, label);
  }
  const svg = await send('/v1/models/names/versions/1/report/confusion.svg');
  for (const label of ['__proto__', 'constructor', 'hasOwnProperty', '😀']) t.match(svg.text, label);
});

t.test('an image that cannot be decoded is refused at upload, by name; the others are trained on', async (t) => {
  const files = await photos(['a', 'b'], 5, { seed: 6 });
  const good = files[0]!.bytes;
  const dataset = await upload([
    ...files,
    { name: 'a/cut.jpg', bytes: good.subarray(0, good.length >> 1) },
    { name: 'b/text.png', bytes: Buffer.from('not an image') },
    { name: 'b/empty.jpg', bytes: Buffer.alloc(0) },
  ]);
  t.equal(dataset.examples, 10);
  t.same(dataset.refused.map(({ name }) => name).sort(), ['a/cut.jpg', 'b/empty.jpg', 'b/text.png']);
  t.ok(dataset.refused.every(({ code, reason }) => code.startsWith('content_') && reason.length > 10));
  t.equal((await train({ dataset: dataset.id, model: 'partly' })).version, 1);
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
    const ended = train({ dataset: plain.id, model: 'bounds', head: 'mlp', hyperparameters });
    const code = await ended.then(
      () => 'trained',
      (error: unknown) => (error instanceof AppError ? error.code : String(error)),
    );
    t.ok(['trained', 'training_diverged'].includes(code), code);
  }
  await train({
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
});

t.test('the report says what augmentation brought, on images that neither fit has seen', async (t) => {
  const hyperparameters = { augmentation: { copies: 3 } };
  await train({ dataset: plain.id, model: 'augmented', test_fraction: 0.5, hyperparameters });
  const report = await json<Report>('/v1/models/augmented/versions/1/report');
  const gained = report.augmentation!;
  t.equal(gained.copies, 3 * report.split.train);
  t.equal(gained.accuracy, report.evaluation!.accuracy);
  const without = await train({ dataset: plain.id, model: 'augmented', test_fraction: 0.5 });
  t.equal(gained.accuracy_without, without.accuracy, 'as a job without it answers');
  t.equal(gained.gain_points, 100 * (gained.accuracy - gained.accuracy_without));
  t.equal((await json<Report>('/v1/models/augmented/versions/2/report')).augmentation, null);
});
