import t from 'tap';
import { readLabelsFile } from '../../../src/datasets/labels/labels-file.js';

async function rowsOf(name: string, text: string | Buffer) {
  const { rows, refused } = await readLabelsFile(name, Buffer.from(text));
  return { rows: [...rows].map(([path, row]) => [path, 'label' in row ? row.label : `!${row.code}`]), refused };
}

t.test('a CSV is read with or without byte order mark, CRLF, quotes and other columns', async (t) => {
  for (const text of [
    'file_name,label\na.jpg,cat\nb.jpg,"a ""big"", dog"\n',
    '\ufefffile_name,label\r\na.jpg,cat\r\n"b.jpg","a ""big"", dog"',
    'Label , FILE_NAME,size\ncat,a.jpg,1\n"a ""big"", dog",b.jpg,2\n\n',
    'file_name;label\na.jpg;cat\nb.jpg;"a ""big"", dog"\n',
    'file_name\tlabel\na.jpg\tcat\nb.jpg\t"a ""big"", dog"\n',
  ]) {
    t.same((await rowsOf('labels.csv', text)).rows, [
      ['a.jpg', 'cat'],
      ['b.jpg', 'a "big", dog'],
    ]);
  }
});

t.test('JSON lines are read, and numbers are labels too', async (t) => {
  const text = '{"file_name":"a.jpg","label":"cat"}\r\n\n{"file_name":"b.jpg","label":7,"split":"Val"}';
  const { rows, refused } = await readLabelsFile('m/metadata.jsonl', Buffer.from(text));
  t.same(
    [...rows],
    [
      ['m/a.jpg', { label: 'cat', line: 1 }],
      ['m/b.jpg', { label: '7', split: 'validation', line: 3 }],
    ],
  );
  t.same(refused, []);
});

t.test('paths are relative to the folder of the file, and compared in one Unicode form', async (t) => {
  const { rows } = await rowsOf('x/labels.csv', 'file_name,label\n./y/cafe\u0301.jpg,cat\ny\\2.jpg,dog\n');
  t.same(rows, [
    ['x/y/caf\u00e9.jpg', 'cat'],
    ['x/y/2.jpg', 'dog'],
  ]);
});

t.test('labels such as __proto__ are only labels', async (t) => {
  t.same((await rowsOf('labels.csv', 'file_name,label\n__proto__,constructor\nconstructor,__proto__\n')).rows, [
    ['__proto__', 'constructor'],
    ['constructor', '__proto__'],
  ]);
  const json = '{"file_name":"a","label":"__proto__","__proto__":{"label":"x"}}';
  t.same((await rowsOf('metadata.jsonl', json)).rows, [['a', '__proto__']]);
});

t.test('a faulty row is refused with its line, and the others go on', async (t) => {
  const text = [
    'file_name,label,split',
    'a.jpg,cat,train',
    ',dog,train',
    '../b.jpg,dog,train',
    'c.jpg,,train',
    'd.jpg,dog,sometimes',
    'e.jpg',
    'a.jpg,dog,train',
    'a.jpg,cat,train',
    'f.jpg,dog,test',
  ].join('\n');
  const { rows, refused } = await rowsOf('labels.csv', text);
  t.same(rows, [
    ['a.jpg', 'cat'],
    ['c.jpg', '!bad_label'],
    ['d.jpg', '!bad_row'],
    ['e.jpg', '!bad_row'],
    ['f.jpg', 'dog'],
  ]);
  t.match(refused, [
    { name: 'labels.csv', code: 'bad_row', reason: /^Line 3: it has no file_name/ },
    { code: 'bad_row', reason: /^Line 4: .*leads out of the folder/ },
    { code: 'bad_row', reason: /^Line 8: a.jpg is listed again.*line 2/ },
  ]);
  const lines = await rowsOf(
    'metadata.jsonl',
    '{"file_name":"a","label":"x"}\n{oops\n[1]\n{"file_name":"b","label":true}',
  );
  t.match(lines.refused, [{ reason: 'Line 2: it is not JSON.' }, { reason: 'Line 3: it is no JSON object.' }]);
  t.same(lines.rows, [
    ['a', 'x'],
    ['b', '!bad_row'],
  ]);
});

t.test('a file that cannot be read as a whole is an error that says why', async (t) => {
  const cases: [name: string, text: string | Buffer, message: RegExp][] = [
    ['labels.csv', '', /labels\.csv is empty/],
    ['metadata.jsonl', '', /is empty/],
    ['labels.csv', 'image,class\na.jpg,cat', /needs the columns file_name and label.*it has image, class/],
    ['labels.csv', 'file_name,label\n"a.jpg,cat\n', /no valid CSV: .*line 2/i],
    ['labels.csv', Buffer.from('file_name,label\na.jpg,caf\xe9', 'latin1'), /not UTF-8/],
  ];
  for (const [name, text, message] of cases) {
    await t.rejects(rowsOf(name, text), { code: 'no_labels', message }, String(message));
  }
});
