import t from 'tap';
import { readLabels } from '../../../src/datasets/labels/labels-file.js';
import { readListedLabels } from '../../../src/datasets/labels/listed-labels.js';
import { PathIndex } from '../../../src/datasets/labels/path-index.js';
import { readTable } from '../../../src/datasets/labels/read-table.js';
import { findColumns } from '../../../src/datasets/labels/table-columns.js';

/** Read tables given as path to text, over images of these paths. */
async function listed(names: string[], files: Record<string, string>) {
  const index = new PathIndex(new Set(names));
  const read = await Promise.all(
    Object.entries(files).map(async ([name, text]) => {
      const table = await readTable(name, Buffer.from(`file_name,label${text}`), () => false);
      const columns = findColumns(table, index);
      if ('unusable' in columns) throw new Error(columns.unusable);
      return { ...readLabels(table, columns, index), canonical: true };
    }),
  );
  const found = readListedLabels({ names, files: read, words: { one: 'image', many: 'images' } });
  const places = found.places.map((place) =>
    'code' in place ? `!${place.code}` : [place.split, place.label].filter(Boolean).join(':'),
  );
  return { ...found, places };
}

t.test('one file labels the images in and below its folder; what it does not list is refused', async (t) => {
  const found = await listed(['x/a', 'x/deep/b', 'x/c'], { 'x/labels.csv': '\na,cat\ndeep/b,dog' });
  t.match(found, { root: 'x', tables: ['x/labels.csv'], places: ['cat', 'dog', '!not_listed'] });
  t.same(found.warnings, ['1 image without a label is left out: x/labels.csv does not list x/c.']);
});

t.test('files that are not there are named in a warning, a few of many', async (t) => {
  const missing = Array.from({ length: 8 }, (_, i) => `\nno${i},cat`).join('');
  const { warnings } = await listed(['a'], { 'labels.csv': `\na,cat${missing}` });
  t.same(warnings, ['labels.csv lists 8 files that are not in the archive: no0, no1, no2, no3, no4 and 3 more.']);
});

t.test('splits come from the column, from the folder of the file, or from the folders of the images', async (t) => {
  t.same((await listed(['a', 'b'], { 'labels.csv': ',split\na,cat,train\nb,dog,test' })).places, [
    'train:cat',
    'test:dog',
  ]);
  const files = { 'x/train/metadata.csv': '\na,cat', 'x/test/metadata.csv': '\na,dog' };
  const own = await listed(['x/train/a', 'x/test/a'], files);
  t.match(own, { root: 'x', places: ['train:cat', 'test:dog'] });
  const above = await listed(['train/a', 'val/b'], { 'labels.csv': '\ntrain/a,cat\nval/b,dog' });
  t.same(above.places, ['train:cat', 'validation:dog']);
  t.same(
    (await listed(['test/a'], { 'test/labels.csv': '\na,cat' })).places,
    ['cat'],
    'a lone test folder is no split',
  );
});

t.test('where some rows have a split, those without are refused', async (t) => {
  const found = await listed(['a', 'b'], { 'labels.csv': ',split\na,cat,train\nb,dog,' });
  t.same(found.places, ['train:cat', '!no_split']);
});

t.test('files that compete are an error that names them', async (t) => {
  const rivals: Record<string, string>[] = [
    { 'labels.csv': '\na,cat', 'metadata.csv': '\na,dog' },
    { 'labels.csv': '\ntrain/a,cat', 'train/labels.csv': '\na,cat' },
  ];
  for (const files of rivals) {
    await t.rejects(listed(['a', 'train/a'], files), {
      code: 'ambiguous_layout',
      message: /layout=\{"table":"labels\.csv"\}/,
      details: { files: Object.keys(files) },
    });
  }
});

t.test('files that each label the images beside them are one', async (t) => {
  const files = { 'x/labels.csv': '\na,cat', 'y/labels.csv': '\na,dog' };
  t.match(await listed(['x/a', 'y/a'], files), { root: '', places: ['cat', 'dog'] });
});

t.test('tables that are called like splits give them', async (t) => {
  const files = { 'train.csv': '\ni/a,cat', 'val_annotations.txt': '\ni/b,dog' };
  t.same((await listed(['i/a', 'i/b'], files)).places, ['train:cat', 'validation:dog']);
});
