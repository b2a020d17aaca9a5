import t from 'tap';
import { readLabels } from '../../../src/datasets/labels/labels-file.js';
import { PathIndex } from '../../../src/datasets/labels/path-index.js';
import { readTable } from '../../../src/datasets/labels/read-table.js';
import { findColumns } from '../../../src/datasets/labels/table-columns.js';

/** Read a table over an archive with these files. */
async function labelsOf(text: string | Buffer, { name = 'labels.csv', files = ['a.jpg', 'b.jpg'] } = {}) {
  const index = new PathIndex(new Set(files));
  const folder = name.split('/').slice(0, -1).join('/');
  const table = await readTable(name, Buffer.from(text), (cell) => typeof index.find(cell, folder) === 'object');
  const columns = findColumns(table, index);
  if ('unusable' in columns) throw new Error(columns.unusable);
  const { rows, refused, warnings } = readLabels(table, columns, index);
  const places = [...rows].map(([path, row]) => [
    path,
    'label' in row ? [row.split, row.label].filter(Boolean).join(':') : `!${row.code}`,
  ]);
  return { places, refused, warnings, columns };
}

const CATS = [
  ['a.jpg', 'cat'],
  ['b.jpg', 'a "big" dog'],
];

const texts: [what: string, text: string | Buffer][] = [
  ['plain', 'file_name,label\na.jpg,cat\nb.jpg,"a ""big"" dog"\n'],
  ['byte order mark and CRLF', '\ufefffile_name,label\r\na.jpg,cat\r\n"b.jpg","a ""big"" dog"'],
  ['semicolons', 'file_name;label\na.jpg;cat\nb.jpg;"a ""big"" dog"\n'],
  ['tabs', 'file_name\tlabel\na.jpg\tcat\nb.jpg\t"a ""big"" dog"\n'],
  ['bars', 'file_name|label\na.jpg|cat\nb.jpg|"a ""big"" dog"\n'],
  ['Excel’s sep line', 'sep=;\r\nfile_name;label\r\na.jpg;cat\r\nb.jpg;"a ""big"" dog"\r\n'],
  ['comment lines', '# made by a tool\nfile_name,label\n# more\na.jpg,cat\nb.jpg,"a ""big"" dog"\n'],
  ['UTF-16', Buffer.from('\ufefffile_name\tlabel\r\na.jpg\tcat\r\nb.jpg\t"a ""big"" dog"\r\n', 'utf16le')],
  ['blanks at the ends of cells', 'file_name,label\na.jpg," cat "\nb.jpg,"a ""big"" dog "\n'],
  ['other headers', 'Filename,Class\na.jpg,cat\nb.jpg,"a ""big"" dog"\n'],
  ['the index of pandas', ',image_id,breed\n0,a,cat\n1,b,"a ""big"" dog"\n'],
  ['columns without a name', 'file_name,label,,\na.jpg,cat,,\nb.jpg,"a ""big"" dog",,\n'],
  ['no header', 'a.jpg,cat\nb.jpg,"a ""big"" dog"\n'],
  ['addresses of a bucket', 'gs://bucket/x/a.jpg,cat\ngs://bucket/x/b.jpg,"a ""big"" dog"\n'],
  ['paths of Windows', 'C:\\photos\\a.jpg,cat\nC:\\photos\\b.jpg,"a ""big"" dog"\n'],
  ['one-hot columns', 'filename, cat, "a ""big"" dog"\na.jpg, 1, 0\nb.jpg, 0, 1\n'],
  ['one-hot columns of floats', 'filename,cat,"a ""big"" dog"\na.jpg,1.0,0.0\nb.jpg,0.0,1.0\n'],
];

for (const [what, text] of texts) {
  t.test(`a table is read: ${what}`, async (t) => t.same((await labelsOf(text)).places, CATS));
}

t.test('JSON lines are read, and numbers are labels too', async (t) => {
  const text = '{"file_name":"a.jpg","label":"cat"}\r\n\n{"file_name":"b.jpg","label":7,"split":"Val"}\n{oops\n[1]';
  const { places, refused } = await labelsOf(text, { name: 'm/metadata.jsonl', files: ['m/a.jpg', 'm/b.jpg'] });
  t.same(places, [
    ['m/a.jpg', 'cat'],
    ['m/b.jpg', 'validation:7'],
  ]);
  t.match(refused, [{ reason: 'Line 4: it is not JSON.' }, { reason: 'Line 5: it is no JSON object.' }]);
});

t.test('numbers that pandas wrote as floats are the numbers', async (t) => {
  t.same((await labelsOf('id,label\na,0.0\nb,1.0\n')).places, [
    ['a.jpg', '0'],
    ['b.jpg', '1'],
  ]);
});

t.test('names such as __proto__ are only names', async (t) => {
  const files = ['__proto__', 'constructor'];
  t.same((await labelsOf('file_name,label\n__proto__,constructor\nconstructor,__proto__\n', { files })).places, [
    ['__proto__', 'constructor'],
    ['constructor', '__proto__'],
  ]);
});

t.test('a faulty row is refused with its line, and the others go on', async (t) => {
  const files = ['a.jpg', 'c.jpg', 'd.jpg', 'e.jpg', 'f.jpg', 'x/g.jpg', 'y/g.jpg'];
  const text = [
    'file_name,label,split',
    'a.jpg,cat,train',
    ',dog,train',
    'c.jpg,,train',
    'd.jpg,dog,sometimes',
    'e.jpg',
    'a.jpg,dog,train',
    'a.jpg,cat,train',
    'f.jpg,dog,test',
    'g.jpg,dog,test',
    'z.jpg,dog,test',
  ].join('\n');
  const { places, refused, warnings } = await labelsOf(text, { files });
  t.same(places, [
    ['a.jpg', 'train:cat'],
    ['c.jpg', '!bad_row'],
    ['d.jpg', '!bad_row'],
    ['e.jpg', '!bad_row'],
    ['f.jpg', 'test:dog'],
  ]);
  t.match(refused, [
    { name: 'labels.csv', code: 'bad_row', reason: /^Line 3: it names no file/ },
    { reason: /^Line 7: a.jpg is listed again.*line 2/ },
    { reason: /^Line 10: "g.jpg" fits several files/ },
  ]);
  t.match(warnings, [/lists 1 file that is not in the archive: z\.jpg/]);
});

t.test('what was matched in another way than by its path is said', async (t) => {
  const files = ['data/a.jpg', 'data/b.jpg'];
  t.match((await labelsOf('file_name,label\n/home/p/data/a.jpg,x\n/home/p/data/b.jpg,y', { files })).warnings, [
    /names 2 files with other folders.*\/home\/p\/data\/a\.jpg as data\/a\.jpg/,
  ]);
  t.match((await labelsOf('id,label\na,x\nb,y', { files })).warnings, [
    /names 2 files without their ending.*a as data\/a/,
  ]);
  t.same((await labelsOf('file_name,label\ndata/a.jpg,x\ndata/b.jpg,y', { files })).warnings, []);
});

t.test('splits are known under many headers, and columns that are not used are named', async (t) => {
  const splits: [header: string, cells: [string, string]][] = [
    ['split', ['train', 'test']],
    ['subset', ['Training', 'TESTING']],
    ['ml_use', ['TRAIN', 'TEST']],
    ['is_test', ['0', '1']],
    ['is_test', ['False', 'True']],
  ];
  for (const [header, [one, two]] of splits) {
    t.same((await labelsOf(`file,label,${header}\na.jpg,x,${one}\nb.jpg,y,${two}`)).places, [
      ['a.jpg', 'train:x'],
      ['b.jpg', 'test:y'],
    ]);
  }
  const { places, warnings } = await labelsOf('file,label,is_valid\na.jpg,x,False\nb.jpg,y,True');
  t.same(
    places.map(([, label]) => label),
    ['train:x', 'validation:y'],
  );
  t.same(warnings, []);
  const folds = await labelsOf('file,label,fold,age\na.jpg,x,0,40.5\nb.jpg,y,1,30.5');
  t.same(
    folds.places.map(([, label]) => label),
    ['x', 'y'],
  );
  t.match(folds.warnings, [/Columns of labels\.csv that were not used: fold, age/]);
});

t.test('several labels in a row are never a class in silence', async (t) => {
  const files = ['1.jpg', '2.jpg', '3.jpg', '4.jpg'];
  const bars = await labelsOf(
    'Image Index,Finding Labels\n1.jpg,Mass|Edema\n2.jpg,Mass\n3.jpg,Mass|Edema\n4.jpg,Mass',
    { files },
  );
  t.match(bars.warnings, [/seem to hold several labels, separated by "\|": "Mass\|Edema".*keep one label/]);
  const tags = await labelsOf('image_name,tags\n1,clear primary\n2,cloudy primary\n3,clear primary\n4,cloudy primary', {
    files,
  });
  t.match(tags.warnings.join(), /separated by blanks: "clear primary"/);
  const hot = await labelsOf('filename,cat,dog\n1.jpg,1,1\n2.jpg,1,0\n3.jpg,0,1\n4.jpg,0,0', { files });
  t.same(
    hot.places.map(([, label]) => label),
    ['!several_labels', 'cat', 'dog', '!bad_row'],
  );
});

t.test('columns that cannot be told apart are an error that names them, and what to send', async (t) => {
  const text = 'file,colour,shape\na.jpg,red,round\nb.jpg,red,round\nc.jpg,blue,flat\nd.jpg,blue,flat';
  const files = ['a.jpg', 'b.jpg', 'c.jpg', 'd.jpg'];
  await t.rejects(labelsOf(text, { files }), { code: 'ambiguous_layout', message: /colour, shape.*layout=.*"label"/ });
});

t.test('a table that labels nothing says why', async (t) => {
  await t.rejects(labelsOf('x,y\n1,2\n'), { message: /no column of it names files/ });
  await t.rejects(labelsOf('file,note\na.jpg,first\nb.jpg,second\nc.jpg,third\nd.jpg,fourth\n'), {
    message: /no column of it holds labels|ambiguous/,
  });
  await t.rejects(labelsOf(''), { code: 'no_labels', message: /labels\.csv is empty/ });
  await t.rejects(labelsOf('file_name,label\n"a.jpg,cat\n'), { code: 'no_labels', message: /no valid CSV/ });
});

t.test('text in another encoding is read with a warning', async (t) => {
  const { places, warnings } = await labelsOf(Buffer.from('file_name,label\na.jpg,caf\xe9', 'latin1'));
  t.same(places, [['a.jpg', 'café']]);
  t.match(warnings, [/not UTF-8.*Windows-1252.*`layout`/]);
});
