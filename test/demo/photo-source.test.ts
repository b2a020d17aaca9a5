import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import t from 'tap';
import { mayBeImage } from '../../src/backbones/image/names.js';
import { contentOf } from '../../src/client/sources.js';
import { choosePhotos } from '../../src/demo/choose-photos.js';
import { type PhotoSource, photoSource } from '../../src/demo/photo-source.js';
import type { Dataset } from '../../src/schemas/datasets.js';

const PHOTOS = { mayBePhoto: mayBeImage };

/** What the service says of a data set, as far as the choice reads it. */
function dataset(labels: string[], options: Partial<Dataset> = {}): Dataset {
  return {
    classes: labels.map((label) => ({ label, examples: 1 })),
    refused: [],
    layout: { kind: 'class_folders', root: '' },
    splits: null,
    ...options,
  } as unknown as Dataset;
}

async function namesIn(source: PhotoSource): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of source.photos()) names.push(name);
  return names;
}

t.test('photos are what may be one, of a folder as of its archive', async (t) => {
  const root = t.testdir({ cat: { 'b.jpg': 'bb', 'a.jpg': 'a' }, dog: { 'ü.jpg': 'uu' }, 'README.md': 'read me' });
  const source = await photoSource(root, PHOTOS);
  t.match(source.name, /\.tar$/);
  const { body } = await contentOf(root);
  const archive = join(await mkdtemp(join(tmpdir(), 'graft-tar-')), 'again.tar');
  t.teardown(() => rm(dirname(archive), { recursive: true }));
  await writeFile(archive, Buffer.from(await body.arrayBuffer()));
  const again = await photoSource(archive, PHOTOS);
  t.same(await namesIn(again), ['cat/a.jpg', 'cat/b.jpg', 'dog/ü.jpg']);
  t.same(await namesIn(source), await namesIn(again));
  for await (const { name, read } of again.photos()) if (name === 'cat/b.jpg') t.equal(String(await read()), 'bb');
});

t.test('what is not there, or empty, is said', async (t) => {
  const root = t.testdir({});
  await t.rejects(photoSource(join(root, 'nothing'), PHOTOS), { code: 'not_found' });
  await t.rejects(photoSource(root, PHOTOS), { code: 'archive_empty' });
});

t.test('photos to try are of every class in turn', async (t) => {
  const root = t.testdir();
  for (const label of ['cat', 'dog', '__proto__']) {
    await mkdir(join(root, label), { recursive: true });
    for (let i = 0; i < 9; i++) await writeFile(join(root, label, `${i}.jpg`), `${label} ${i}`);
  }
  const source = await photoSource(root, PHOTOS);
  const { photos, unseen } = await choosePhotos(source, dataset(['cat', 'dog', '__proto__']), 6);
  t.equal(unseen, false);
  t.same(photos.map(({ label }) => label).sort(), ['__proto__', '__proto__', 'cat', 'cat', 'dog', 'dog']);
  t.equal(new Set(photos.map(({ name }) => name)).size, 6);
  for (const { label, bytes } of photos) t.ok(String(bytes).startsWith(label!));
});

t.test('where there is a test part they come from it, without what was refused', async (t) => {
  const root = t.testdir({
    train: { cat: { '1.jpg': '', '2.jpg': '' } },
    test: { cat: { '3.jpg': '', 'broken.jpg': '' } },
  });
  const described = dataset(['cat'], {
    layout: { kind: 'split_folders', root: '' },
    splits: { train: 2, validation: 0, test: 1 },
    refused: [{ name: 'test/cat/broken.jpg', code: 'x', reason: 'x' }],
  });
  const { photos, unseen } = await choosePhotos(await photoSource(root, PHOTOS), described, 6);
  t.same(
    photos.map(({ name }) => name),
    ['test/cat/3.jpg'],
  );
  t.equal(unseen, true);
});

t.test('photos of a labels file have no label to compare with', async (t) => {
  const root = t.testdir({ 'labels.csv': 'file_name,label\n1.jpg,cat', '1.jpg': 'x' });
  const { photos } = await choosePhotos(await photoSource(root, PHOTOS), dataset(['cat']), 6);
  t.match(photos, [{ name: '1.jpg', label: undefined }]);
});
