/**
 * The networks that transfer learning is known for, as PyTorch and as Keras export them: narrow replicas are imported,
 * trained on, served, handed out, and cut for training. The real structures: `npm run test:architectures`.
 */
import { writeFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { EmbeddedBackbones } from '../../../../src/backbones/embedded.js';
import { PACKAGE_ROOT } from '../../../../src/config.js';
import { OTHERS, replica, TRANSFORMERS, TWELVE } from '../../../helpers/architectures.js';
import { importInto } from '../../../helpers/backbones.js';
import { examineArchitecture, pixelsOf, servedAndDownloaded } from '../../../helpers/examine-architecture.js';
import { imageAppForTest } from '../../../helpers/image-app.js';
import { photos } from '../../../helpers/photos.js';

const PHOTOS = 16;
const folder = t.testdir({ files: {}, models: {} });
const models = join(folder, 'models');
const IDIOMS = ['torch', 'keras'] as const;
const ALL = [
  ...IDIOMS.flatMap((idiom) => Object.keys({ ...TWELVE, ...OTHERS }).map((name) => ({ name, idiom }))),
  ...Object.keys(TRANSFORMERS).map((name) => ({ name, idiom: 'torch' as const })),
];
const files = await photos(['birch', 'cloud'], PHOTOS / 2, { size: 128 });
const images = files.map(({ bytes }) => bytes);

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
      const { blocks, limit } = card.top!;
      t.ok(blocks.length > 0, `${blocks.length} blocks can be trained`);
      t.equal(limit, null, 'down to the first map, or the first tokens');

      const pixels = await pixelsOf(images, card);
      const cuts = [0, blocks.length - 1];
      const { difference, alive, tops } = await examineArchitecture({ file, imported, pixels, cuts });
      t.ok(difference < 1e-4, `as the network computes them: ${difference}`);
      t.ok(alive > 0.5, `${(100 * alive).toFixed(0)} % of them tell the photos apart`);
      for (const top of tops) t.ok(top.difference < 1e-4, `the top at ${top.cut} computes the same`);
    },
  );
}

t.test('models on them are trained, served and handed out, and both answers are one', async (t) => {
  await cp(join(PACKAGE_ROOT, 'models', 'rootstock_s'), join(models, 'rootstock_s'), { recursive: true });
  const app = await imageAppForTest(t, { source: new EmbeddedBackbones({ folder: models }) });
  const { id: dataset } = await app.upload(files);
  for (const { name, idiom } of ALL) {
    const backbone = `${name}_${idiom}`;
    t.ok((await servedAndDownloaded(app, { dataset, backbone, image: images[0]! })) < 1e-4, backbone);
  }
});
