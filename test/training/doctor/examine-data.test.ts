/** Faults planted in data sets are found, and little else. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { PACKAGE_ROOT } from '../../../src/config.js';
import { dense } from '../../../src/numbers/features.js';
import type { Split } from '../../../src/schemas/common.js';
import type { LabelledExample } from '../../../src/schemas/datasets.js';
import { examineData } from '../../../src/training/doctor/examine-data.js';
import { backbonesIn, featuresOf, IMAGES } from '../../helpers/backbones.js';
import { photo, randomFrom } from '../../helpers/photos.js';
import { COPIES, foreignPictures, standardised } from '../../helpers/planted.js';
import { needs, SHARED } from '../../helpers/shared.js';

interface Photo {
  name: string;
  label: string;
  split: Split;
  bytes: Buffer;
}

const backbone = await backbonesIn(join(PACKAGE_ROOT, 'models'), { threads: 2 }).load('rootstock_s');
const D = backbone.card.features.dimensions;
const known = new Map<Buffer, Float32Array>();

async function knownFeaturesOf(bytes: Buffer): Promise<Float32Array> {
  const features = known.get(bytes) ?? (await featuresOf(backbone, bytes));
  known.set(bytes, features);
  return features;
}

async function examine(photos: Photo[]) {
  const labels = [...new Set(photos.map(({ label }) => label))].sort();
  const raw = new Float32Array(photos.length * D);
  for (const [i, { bytes }] of photos.entries()) raw.set(await knownFeaturesOf(bytes), i * D);
  return examineData({
    entries: photos.map(({ name, label, bytes }): LabelledExample => {
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      return { name, label, sha256, offset: 0, bytes: bytes.length, origin: 'upload' };
    }),
    features: dense(standardised(raw, D), D),
    y: Int32Array.from(photos, ({ label }) => labels.indexOf(label)),
    labels,
    splits: photos.map(({ split }) => split),
    weightDecay: 0.3,
    seed: 0,
    readContent: async ({ name }) => photos.find((one) => one.name === name)!.bytes,
    similarity: IMAGES.similarity,
    odd: undefined,
  });
}

function realPhotos(dataset: string, perFolder: number): Photo[] {
  const root = join(SHARED, 'datasets', dataset);
  if (!existsSync(root)) return [];
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) => /\.jpe?g$/i.test(name));
  const counts = new Map<string, number>();
  return files.sort().flatMap((name) => {
    const folder = name.slice(0, name.lastIndexOf('/'));
    const count = counts.get(folder) ?? 0;
    counts.set(folder, count + 1);
    const split: Split = folder.startsWith('test') ? 'test' : 'train';
    return count < perFolder
      ? [{ name, label: folder.split('/').at(-1)!, split, bytes: readFileSync(join(root, name)) }]
      : [];
  });
}

const cats = realPhotos('cats-dogs', 50);
const flowers = realPhotos('flowers', 60);

t.test(
  'labels that were changed are found, each with the right one beside it',
  needs('datasets', 'cats-dogs'),
  async (t) => {
    const wrong = new Set(Array.from({ length: 10 }, (_, i) => cats[i * 19 + 3]!.name));
    const photos = cats.map((one) =>
      wrong.has(one.name) ? { ...one, label: one.label === 'cat' ? 'dog' : 'cat' } : one,
    );
    const { label_errors } = await examine(photos);
    const found = label_errors.items.filter(({ name }) => wrong.has(name));
    t.ok(found.length >= 4, `${found.length} of 10 found`);
    t.ok(found.length / label_errors.total >= 0.3, `among ${label_errors.total}`);
    t.equal(label_errors.judged, photos.length);
    for (const { name, label, suggested, given, confidence } of found) {
      const truth = cats.find((one) => one.name === name)!.label;
      t.same([suggested, label === truth], [truth, false]);
      t.ok(given < 0.3 && confidence > 0.7, `${given} ${confidence}`);
    }
    const clean = await examine(cats);
    t.equal(clean.label_errors.total, 0, 'and none is doubted where none was changed');
    const expected = label_errors.expected_wrong! * label_errors.total;
    t.ok(Math.abs(expected - found.length) <= 0.3 * label_errors.total, `${expected} expected, ${found.length} wrong`);
  },
);

t.test(
  'copies are found, those in other parts and under other labels named as such',
  needs('datasets', 'cats-dogs'),
  async (t) => {
    const train = cats.filter(({ split }) => split === 'train');
    const kinds = Object.keys(COPIES);
    const copies = await Promise.all(
      kinds.map(async (kind, i): Promise<Photo> => {
        const original = train[i * 13 + 1]!;
        const other = original.label === 'cat' ? 'dog' : 'cat';
        return {
          name: `${kind} ${original.name}`,
          label: i === 0 ? other : original.label,
          split: i % 2 === 1 ? 'test' : 'train',
          bytes: await COPIES[kind]!(original.bytes),
        };
      }),
    );
    const { near_duplicates: found } = await examine([...cats, ...copies]);
    t.equal(found.compared, cats.length + copies.length);
    const pairs = found.items.map(({ examples: images }) => images.map(({ name }) => name).sort());
    const hits = copies.filter(({ name }) => {
      const original = name.slice(name.indexOf('train/'));
      return pairs.some((names) => names.includes(name) && names.includes(original) && names.length === 2);
    });
    t.ok(hits.length >= 5, `${hits.map(({ name }) => name)}`);
    t.ok(found.total <= copies.length, 'and nothing else');
    t.equal(found.contradictions, 1);
    t.match(found.items[0], { contradiction: true, across_splits: false });
    t.equal(found.across_splits, found.leaked_test_examples);
    t.ok(found.leaked_test_examples >= 2);
    t.same((await examine(cats)).near_duplicates.total, 0);
  },
);

t.test(
  'photos of other things, noise and blanks are outliers among flowers',
  needs('datasets', 'imagenet-val'),
  async (t) => {
    const folder = join(SHARED, 'datasets', 'imagenet-val');
    const others = readdirSync(folder)
      .filter((name) => name.endsWith('.JPEG'))
      .slice(0, 4)
      .map((name) => readFileSync(join(folder, name)));
    const nothing = (await foreignPictures(randomFrom(1))).map(({ bytes }) => bytes);
    const planted = [...others, ...nothing].map(
      (bytes, i): Photo => ({ name: `planted ${i}`, label: 'rose', split: 'train', bytes }),
    );
    const { outliers } = await examine([...flowers, ...planted]);
    const found = outliers.items.filter(({ name }) => name.startsWith('planted'));
    t.ok(found.length >= 6, `${found.length} of ${planted.length}`);
    t.ok(outliers.total - found.length <= flowers.length * 0.03, `${outliers.total} in all`);
    t.same(
      outliers.items,
      [...outliers.items].sort((a, b) => b.distance - a.distance),
    );
  },
);

t.test('classes that are small or taken for each other are named', async (t) => {
  const photos: Photo[] = [];
  const add = async (label: string, kind: number, count: number, seed: number) => {
    for (let n = 0; n < count; n += 1) {
      photos.push({
        name: `${label}/${n}.jpg`,
        label,
        split: n % 5 === 0 ? 'test' : 'train',
        bytes: await photo(kind, seed + n),
      });
    }
  };
  await add('apple', 0, 30, 0);
  await add('birch', 1, 30, 0);
  await add('twin', 1, 30, 500); // the same kind of picture under another name
  await add('cloud', 2, 8, 0);
  const data = await examine(photos);
  t.same(data.small_classes, { total: 1, items: [{ label: 'cloud', training_examples: 6 }] });
  t.equal(data.confusable_classes.total, 1);
  t.match(data.confusable_classes.items, [{ labels: ['birch', 'twin'] }]);
  t.ok(data.confusable_classes.items[0]!.share > 0.2);
});

t.test('a class of one image, and a data set of two, are no reason to fail', async (t) => {
  const one = async (label: string, kind: number): Promise<Photo> => ({
    name: `${label}.jpg`,
    label,
    split: 'train',
    bytes: await photo(kind, 1),
  });
  const data = await examine([await one('apple', 0), await one('birch', 1)]);
  t.match(data, { label_errors: { judged: 0, total: 0 }, outliers: { total: 0 }, small_classes: { total: 2 } });
});
