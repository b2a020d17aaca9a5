import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { readTextTables } from '../../../src/datasets/labels/text-tables.js';
import type { LayoutWanted } from '../../../src/schemas/datasets.js';
import { SHARED } from '../../helpers/shared.js';
import { existsSync } from 'node:fs';

const read = (
  text: string | Buffer,
  { name = 'reviews.csv', wanted = {} }: { name?: string; wanted?: LayoutWanted } = {},
) => readTextTables([{ name, bytes: Buffer.from(text as string), canonical: false }], wanted);

/** Text, label and split of each row. */
async function understood(...args: Parameters<typeof read>) {
  const { rows } = await read(...args);
  return rows.map(({ text, place }) =>
    'label' in place ? [text, place.label, ...(place.split ? [place.split] : [])] : [text, place.code],
  );
}

const FINE = [
  ['a fine film', 'good'],
  ['dull, and long', 'bad'],
  ['so good', 'good'],
];

t.test('text and label are found by the names of their columns, whatever divides them', async (t) => {
  const csv = 'text,label\na fine film,good\n"dull, and long",bad\nso good,good\n';
  t.same(await understood(csv), FINE);
  t.same(await understood(csv.replaceAll('\n', '\r\n')), FINE);
  t.same(await understood(`\ufeff${csv}`), FINE, 'with a mark');
  t.same(await understood(Buffer.from(`\ufeff${csv}`, 'utf16le')), FINE);
  t.same(
    await understood('label\treview\ngood\ta fine film\nbad\tdull, and long\ngood\tso good\n', { name: 'a.tsv' }),
    FINE,
  );
  t.same(await understood('id;sentiment;comment\n1;good;a fine film\n2;bad;dull, and long\n3;good;so good\n'), FINE);
  const lines = FINE.map(([text, label]) => JSON.stringify({ text, label, id: 7 })).join('\n');
  t.same(await understood(lines, { name: 'a.jsonl' }), FINE);
  t.same(await understood(lines, { name: 'table' }), FINE, 'known by its first sign');
  t.same(await understood(JSON.stringify(FINE.map(([text, label]) => ({ text, label }))), { name: 'a.json' }), FINE);
  t.same(
    await understood('__label__good a fine film\n__label__bad dull, and long\n__label__good so good\n', {
      name: 'a.txt',
    }),
    FINE,
  );
});

t.test(
  'columns that have no name, or none that is known, are found by what is in them, and that is said',
  async (t) => {
    const { rows, warnings } = await read('good\ta fine film "\nbad\tdull, and long\ngood\t"so" good\n', {
      name: 'SMSSpamCollection.txt',
    });
    t.same(
      rows.map(({ text }) => text),
      ['a fine film "', 'dull, and long', '"so" good'],
      'the first line is no header, and a quote is a quote',
    );
    t.match(warnings, [/texts were taken from column 2, the labels from column 1/]);
    const named = await read('what,how\na fine film it is,good\ndull and long it is,bad\nso good it is,good\n');
    t.match(named.warnings, [/taken from what, the labels from how/]);
    t.same(named.layout.columns_used, ['what', 'how']);
  },
);

t.test('a text that begins with # or holds lines is one', async (t) => {
  t.same(await understood('text,label\n#fun at work,good\n"two\nlines",bad\n# of them,good\n'), [
    ['#fun at work', 'good'],
    ['two\nlines', 'bad'],
    ['# of them', 'good'],
  ]);
});

t.test('a column, several tables or the sender name the splits', async (t) => {
  t.same(await understood('text,label,split\na b,x,train\nc d,y,test\ne f,x,dev\n'), [
    ['a b', 'x', 'train'],
    ['c d', 'y', 'test'],
    ['e f', 'x', 'validation'],
  ]);
  const table = (name: string, text: string) => ({ name, bytes: Buffer.from(`text,label\n${text}`), canonical: false });
  const both = await readTextTables([table('train.csv', 'a b,x\nc d,y\n'), table('test.csv', 'e f,x\n')]);
  t.same(
    both.rows.map(({ place }) => 'label' in place && place.split),
    ['train', 'train', 'test'],
  );
  t.equal(both.layout.split_from, 'the names of train.csv, test.csv');
  const lone = await readTextTables([table('test.csv', 'a b,x\nc d,y\n')]);
  t.ok(
    lone.rows.every(({ place }) => !('split' in place)),
    'a lone one says nothing',
  );
  const labelled = await readTextTables([
    table('train.csv', 'a b,x\nc d,y\n'),
    { name: 'submit.csv', bytes: Buffer.from('id,text\n1,e f\n2,g h\n'), canonical: false },
  ]);
  t.equal(labelled.rows.length, 2);
  t.match(labelled.warnings, [/not used: submit\.csv/]);
});

t.test('a row that cannot be taken is refused by its line, and the others go on', async (t) => {
  const { rows, refused } = await read(
    'text,label\nfine,good\n,bad\nno label,\nthis, that,bad\n"fine\nfilm",good\nx,"a\u0007b"\n',
  );
  t.same(
    refused.map(({ name, reason }) => [name, reason]),
    [
      ['reviews.csv:3', 'Line 3: its text is empty.'],
      ['reviews.csv:5', 'Line 5: it has 3 cells, and the header 2. Quote texts that hold a delimiter.'],
    ],
  );
  const codes = rows.map(({ name, place }) => [name, 'code' in place ? place.code : place.label]);
  t.same(codes, [
    ['reviews.csv:2', 'good'],
    ['reviews.csv:4', 'bad_row'],
    ['reviews.csv:7', 'good'],
    ['reviews.csv:8', 'bad_label'],
  ]);
  const lines = await read('{"text":"a b","label":"x"}\nnot json\n[1]\n{"text":"c d","label":"y"}\n', {
    name: 'a.jsonl',
  });
  t.match(lines.refused, [
    { name: 'a.jsonl:2', reason: /it is not JSON/ },
    { name: 'a.jsonl:3', reason: /no JSON object/ },
  ]);
});

t.test('what holds no labelled texts is refused, and the sentence says what was found', async (t) => {
  const rejects = (text: string, message: RegExp, wanted?: LayoutWanted) =>
    t.rejects(read(text, wanted ? { wanted } : {}), { code: 'no_labels', message });
  await rejects('file,label\na.jpg,cat\nb.jpg,dog\nc.jpg,cat\n', /no column of it holds texts/);
  await rejects('text\na b\nc d\n', /no column of it holds labels.*layout=/);
  await rejects('text,label\na b,x\n', /has no column "body"/, { columns: { text: 'body' } });
  await rejects('text,label\na b,x\n', /There is no table other\.csv/, { table: 'other.csv' });
  await t.rejects(read('text,one,two\na b,x,u\nc d,y,v\ne f,x,u\ng h,y,v\n'), {
    code: 'ambiguous_layout',
    message: /: one, two\./,
  });
});

t.test('the sender overrules', async (t) => {
  const text = 'title,text,kind,mood\nA b,c d e,x,u\nF g,h i j,y,v\nK l,m n o,x,u\n';
  t.same(await understood(text, { wanted: { columns: { text: 'title', label: 'mood' } } }), [
    ['A b', 'u'],
    ['F g', 'v'],
    ['K l', 'u'],
  ]);
  t.same(await understood('label,text\ngood,bad\n', { wanted: { header: false, columns: { text: 1, label: 2 } } }), [
    ['label', 'text'],
    ['good', 'bad'],
  ]);
});

const REAL = join(SHARED, 'datasets-text');
t.test(
  'real tables are understood without a word from the sender',
  { skip: !existsSync(REAL) && `${REAL} is not here` },
  async (t) => {
    for (const [path, rows, classes] of [
      ['rt-polarity/reviews.csv', 10_662, 2],
      ['ag-news/test.csv', 7600, 4],
      ['banking77/train.csv', 10_003, 77],
      ['trec6/train.csv', 5452, 6],
      ['sst2/train.csv', 6920, 2],
    ] as const) {
      const found = await read(readFileSync(join(REAL, path)), { name: path });
      t.same([found.rows.length, found.refused, found.warnings], [rows, [], []], path);
      t.equal(new Set(found.rows.flatMap(({ place }) => ('label' in place ? [place.label] : []))).size, classes);
    }
  },
);
