import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { textModality } from '../../src/backbones/text/modality.js';
import type { LayoutWanted } from '../../src/schemas/datasets.js';
import { tar, zip } from '../helpers/archives.js';
import { IMAGES } from '../helpers/backbones.js';
import { datasetsIn } from '../helpers/datasets.js';
import { photo } from '../helpers/photos.js';

const { datasets } = datasetsIn(t.testdir(), { modalities: [IMAGES, textModality({ maxBytes: 1000 })] });
const create = (
  source: Buffer | string,
  name: string | null = null,
  options: { layout?: LayoutWanted; dryRun?: boolean } = {},
) =>
  datasets.create({
    tenant: 'default',
    by: 'local',
    source: Readable.from([Buffer.from(source as string)]),
    name,
    ...options,
  });

/** Texts and labels of a data set, as training reads them. */
async function stored(id: string) {
  const { examples, readContent } = await datasets.open('default', id);
  const texts = await Promise.all(examples.map(async (example) => (await readContent(example)).toString()));
  return examples.map(({ labels, split }, i) => [texts[i], ...labels, ...(split ? [split] : [])]);
}

const CSV = 'text,label\na fine film,good\ndull and long,bad\nso good,good\n';
const ROWS = [
  ['a fine film', 'good'],
  ['dull and long', 'bad'],
  ['so good', 'good'],
];

t.test('a table by itself is a data set, also compressed and without a name', async (t) => {
  for (const [bytes, name, format] of [
    [CSV, 'reviews.csv', 'table'],
    [CSV, null, 'table'],
    [gzipSync(CSV), 'reviews.csv.gz', 'table.gz'],
  ] as const) {
    const dataset = await create(bytes as Buffer, name);
    t.match(dataset, { modality: 'text', archive_format: format, examples: 3, refused_count: 0, warnings: [] });
    t.match(dataset.layout, { kind: 'text_table', columns_used: ['text', 'label'] });
    t.match(dataset.classes, [
      { label: 'bad', examples: 1, names: [`${name === null ? 'table.csv' : 'reviews.csv'}:3`] },
      { label: 'good', examples: 2 },
    ]);
    t.same(await stored(dataset.id), ROWS);
    const content = await datasets.content('default', dataset.id, dataset.classes[0]!.digests![0]!);
    t.equal(content.type, 'text/plain; charset=utf-8');
  }
});

t.test('tables in an archive, a licence and a description beside them', async (t) => {
  const dataset = await create(
    zip([
      { name: 'data/train.csv', bytes: CSV },
      { name: 'data/test.csv', bytes: 'text,label\nfun,good\n' },
      { name: 'README.md', bytes: '# What this is' },
      { name: 'LICENSE', bytes: 'All of it is yours.' },
    ]),
    'reviews.zip',
  );
  t.match(dataset, { modality: 'text', examples: 4, splits: { train: 3, test: 1 } });
  t.same(await stored(dataset.id), [...ROWS.map((row) => [...row, 'train']), ['fun', 'good', 'test']]);
  t.same(
    dataset.refused.map(({ name, code }) => [name, code]),
    [
      ['README.md', 'not_used'],
      ['LICENSE', 'not_used'],
    ],
  );
});

t.test('a folder of texts for each class, with parts or without', async (t) => {
  const files = ROWS.map(([text, label], i) => ({ name: `${label}/${i}.txt`, bytes: text! }));
  const plain = await create(tar(files), 'reviews.tar');
  t.match(plain, { modality: 'text', examples: 3, layout: { kind: 'class_folders' } });
  t.same(await stored(plain.id), ROWS);
  const parts = await create(
    zip([
      ...files.map(({ name, bytes }) => ({ name: `aclImdb/train/${name}`, bytes })),
      { name: 'aclImdb/test/good/7.txt', bytes: 'fun' },
      { name: 'aclImdb/test/bad/7.txt', bytes: 'no fun' },
    ]),
  );
  t.match(parts, { examples: 5, splits: { train: 3, test: 2 } });
  const listed = await create(
    zip([
      { name: 'labels.csv', bytes: 'file_name,label\n1.txt,good\n2.txt,bad\n' },
      { name: '1.txt', bytes: 'fun' },
      { name: '2.txt', bytes: 'no fun' },
    ]),
  );
  t.match(listed, { modality: 'text', examples: 2, layout: { kind: 'labels_file' } });
});

t.test('equal texts are one example, and one under two labels is told', async (t) => {
  const dataset = await create(`${CSV}so good ,good\na fine film,bad\n`);
  t.match(dataset, { examples: 3, conflicts: 1, duplicate_count: 2 });
  t.match(dataset.duplicates, [
    { name: 'table.csv:5', same_as: 'table.csv:4', kind: 'same_class' },
    { name: 'table.csv:6', same_as: 'table.csv:2', kind: 'other_label' },
  ]);
  t.match(dataset.warnings.at(-1), /1 text has several labels: table\.csv:2/);
});

t.test('rows that cannot be taken are named by their lines', async (t) => {
  const dataset = await create(`${CSV}${'x'.repeat(1001)},good\n,bad\n"bell \u0007",bad\n`, 'r.csv');
  t.same(dataset.examples, 3);
  t.match(dataset.refused, [
    { name: 'r.csv:6', code: 'bad_row' },
    { name: 'r.csv:5', code: 'content_too_large' },
    { name: 'r.csv:7', code: 'content_unsupported' },
  ]);
});

t.test('what is understood can be asked without storing anything, and overruled', async (t) => {
  const before = (await datasets.list('default', { limit: 100 })).data.length;
  const text = 'title,text,label\nOne a,two b,x\nThree c,four d,y\n';
  t.match(await create(text, 'a.csv', { dryRun: true }), {
    layout: { columns_used: ['text', 'label'], columns_unused: ['title'] },
  });
  t.equal((await datasets.list('default', { limit: 100 })).data.length, before);
  const told = await create(text, 'a.csv', { layout: { columns: { text: 'title' } } });
  t.same(await stored(told.id), [
    ['One a', 'x'],
    ['Three c', 'y'],
  ]);
});

t.test('photos stay photos, and what is neither is refused with what it lacks', async (t) => {
  const picture = await photo(0, 1);
  const photos = await create(
    zip([
      { name: 'cat/1.jpg', bytes: picture },
      { name: 'dog/1.jpg', bytes: await photo(1, 1) },
      { name: 'cat/notes.txt', bytes: 'a cat' },
      { name: 'stats.csv', bytes: 'text,label\na b,x\nc d,y\n' },
    ]),
  );
  t.match(photos, { modality: 'image', examples: 2 });
  const broken = zip([
    { name: 'cat/1.jpg', bytes: picture.subarray(0, 200) },
    { name: 'README.md', bytes: '# Cats' },
    { name: 'about.csv', bytes: CSV },
  ]);
  await t.rejects(
    create(broken),
    { code: 'no_examples', message: /No image could be taken/ },
    'damaged photos are no texts',
  );
  await t.rejects(create('file_name,label\na.jpg,cat\nb.jpg,dog\nc.jpg,cat\n', 'labels.csv'), {
    code: 'no_labels',
    message: /no column of it holds texts/,
  });
  await t.rejects(create(gzipSync(CSV).subarray(0, 40), 'a.csv.gz'), { code: 'archive_damaged' });
  await t.rejects(create('just a line'), { code: 'not_an_archive', message: /CSV, TSV, JSON lines/ });
});
