/**
 * A recipe that is often written down: InceptionV3, its last fifteen layers in Keras trained (they lie in its last block),
 * average pooling, two dense layers of 512 with dropout, photos sheared, zoomed and mirrored, eight epochs of batches of
 * 32, a learning rate that falls on a plateau, and plots. Here on a narrow replica; on the real graph by `npm run
 * test:architectures`.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { EmbeddedBackbones } from '../../src/backbones/embedded.js';
import type { Report } from '../../src/schemas/report.js';
import { replica } from '../helpers/architectures.js';
import { importInto } from '../helpers/backbones.js';
import { imageAppForTest } from '../helpers/image-app.js';
import { photos } from '../helpers/photos.js';
import { RECIPE } from '../helpers/recipe.js';

t.test('one job does the whole recipe', async (t) => {
  const folder = t.testdir({ models: {} });
  const file = join(folder, 'inception_v3.onnx');
  writeFileSync(file, replica('inception_v3', 'keras').file);
  const models = join(folder, 'models');
  await importInto(models, { file, id: 'inception_v3', preset: 'tf' });
  const app = await imageAppForTest(t, {
    source: new EmbeddedBackbones({ folder: models }),
    env: { DEFAULT_BACKBONE: 'inception_v3' },
  });
  const labels = ['apple', 'birch', 'cloud'];
  const held = (await photos(labels, 6, { size: 96, seed: 9 })).map(({ name, bytes }) => ({
    name: `test/${name}`,
    bytes,
  }));
  const train = (await photos(labels, 16, { size: 96 })).map(({ name, bytes }) => ({ name: `train/${name}`, bytes }));
  const dataset = await app.upload([...train, ...held]);
  const version = await app.train({ dataset: dataset.id, model: 'recipe', ...RECIPE });
  t.match(version, { head: 'mlp', top: { blocks: 1, weights: 'pretrained' } });

  const report = await app.json<Report>('/v1/models/recipe/versions/1/report');
  t.match(report.settings, {
    trainable: 'top',
    trainable_blocks: 1,
    hidden_units: [512, 512],
    dropout: 0.3,
    batch_size: 32,
    learning_rate_schedule: 'plateau',
    augmentation: { shear: 0.2, zoom: 0.2, flip: true },
  });
  t.equal(report.curves.length, 8, 'loss and accuracy of eight epochs');
  for (const { train_loss, train_accuracy, validation_loss, validation_accuracy } of report.curves) {
    for (const value of [train_loss, train_accuracy, validation_loss, validation_accuracy]) t.type(value, 'number');
  }
  t.ok(report.evaluation!.accuracy > 0.6, `accuracy ${report.evaluation!.accuracy}`);
  for (const plot of ['curves', 'confusion']) {
    t.match((await app.send(`/v1/models/recipe/versions/1/report/${plot}.svg`)).text, /<svg/, plot);
  }
  const answer = await app.send('/v1/models/recipe/predict', { method: 'POST', body: held[0]!.bytes });
  t.match(JSON.parse(answer.text).results[0].predictions[0], { label: 'apple' });
});
