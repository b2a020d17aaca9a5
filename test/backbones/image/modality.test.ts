import { join } from 'node:path';
import sharp from 'sharp';
import t from 'tap';
import { imageModality } from '../../../src/backbones/image/modality.js';
import { PACKAGE_ROOT } from '../../../src/config.js';
import type { DenseFeatures } from '../../../src/numbers/features.js';
import type { ImageBackboneCard } from '../../../src/schemas/backbones.js';
import { backbonesIn } from '../../helpers/backbones.js';
import { photo } from '../../helpers/photos.js';

const images = imageModality({ maxPixels: 1e6, maxBytes: 1e6 });
const backbones = backbonesIn(join(PACKAGE_ROOT, 'models'), { modalities: [images] });
const picture = await photo(0, 1);

t.test('names are judged by their ending: what may be an image is looked at', (t) => {
  for (const name of ['a/1.jpg', 'a/1.JPEG', 'photo', 'a.b/c.heic', 'x.unknown']) t.ok(images.mayBeContent(name), name);
  for (const name of ['a/1.txt', 'readme.MD', 'a/.gitkeep', 'clip.mp4']) t.notOk(images.mayBeContent(name), name);
  t.end();
});

t.test('an image is inspected by its limits', async (t) => {
  t.match(await images.inspect(picture), { width: Number, height: Number });
  const small = imageModality({ maxPixels: 100, maxBytes: 1e6 });
  await t.rejects(small.inspect(picture), { code: 'content_too_large' });
  await t.rejects(images.inspect(Buffer.from('woof')), { code: 'content_unsupported', message: /not an image/ });
});

t.test('a variation is the same each time, and may be written down', async (t) => {
  const settings = { copies: 2, flip: true, rotation: 10, zoom: 0.1, crop: 0.2, shear: 0.1 } as never;
  const [one, again, other] = [0, 0, 1].map((copy) => images.vary!(settings, 'a'.repeat(64), copy));
  t.same(one, again);
  t.notSame(one, other);
  t.same(JSON.parse(JSON.stringify(one)), one);
});

t.test('a copy in another size is the same picture, another is not', async (t) => {
  const { signature, compare, copies } = images.similarity!;
  const [first, larger, other] = await Promise.all(
    [picture, await sharp(picture).resize(200, 200).png().toBuffer(), await photo(2, 9)].map((bytes) =>
      signature(bytes),
    ),
  );
  t.ok(compare(first!, larger!) >= copies, 'the same, in another size and format');
  t.ok(compare(first!, other!) < copies);
});

t.test('what is prepared stays as it is, so that it can be explained after the pass', async (t) => {
  const backbone = await backbones.load('rootstock_s');
  const prepared = (await backbone.prepare(picture)) as Uint8Array;
  const before = prepared.slice();
  const together = (await backbone.embed([prepared, prepared])) as DenseFeatures;
  t.same(prepared, before);
  t.same([together.kind, together.rows, together.columns], ['dense', 2, backbone.card.features.dimensions]);
  const head = (units: number) => ({
    layers: [
      {
        inputs: backbone.card.features.dimensions,
        units,
        kernel: new Float32Array(backbone.card.features.dimensions * units).fill(0.01),
        bias: new Float32Array(units),
        activation: 'softmax' as const,
      },
    ],
  });
  t.match(await backbone.explain!(prepared, head(2), 0), { no_map: null, map: { png: /^data:image\/png/ } });
  const deep = { layers: [...head(2).layers, ...head(2).layers] };
  t.match(await backbone.explain!(prepared, deep, 0), { no_map: /hidden layer/, map: null, overlay: null });
});

t.test('how content is made ready is told with the settings of the card: it is part of cached features', async (t) => {
  const card = (await backbones.card('rootstock_s')) as ImageBackboneCard;
  const { recipe } = await backbones.load('rootstock_s');
  t.match(recipe, card.recipe);
  t.match(recipe, JSON.stringify(card.resize));
});
