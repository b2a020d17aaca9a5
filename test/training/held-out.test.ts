import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import t from 'tap';
import { seededRandom } from '../../src/numbers/random.js';
import type { LabelledExample } from '../../src/schemas/datasets.js';
import type { HeldOutPrediction } from '../../src/schemas/predictions.js';
import { type HeldOutQuery, readHeldOut, writeHeldOut } from '../../src/training/held-out.js';
import type { HeldOutAnswers } from '../../src/training/run.js';

const digest = (text: string) => createHash('sha256').update(text).digest('hex');

/** Logits whose softmax are these probabilities. */
function answersOf(rows: number[][], truth: number[], examples = [...rows.keys()]): HeldOutAnswers {
  const scored = {
    logits: Float32Array.from(rows.flat(), Math.log),
    y: Int32Array.from(truth),
    classes: rows[0]!.length,
  };
  return { on: 'test', examples, scored, temperature: 1 };
}

function examplesOf(count: number, labelOf: (i: number) => string): LabelledExample[] {
  return Array.from({ length: count }, (_, i) => ({
    sha256: digest(String(i)),
    label: labelOf(i),
    name: `${labelOf(i)}/${i}\u2028.x`,
    offset: 0,
    bytes: 1,
    origin: 'upload',
  }));
}

/** In small pieces, so that lines and letters are cut. */
function read(file: string, query: Partial<HeldOutQuery> = {}) {
  const bytes = Buffer.from(file);
  const pieces = Array.from({ length: Math.ceil(bytes.length / 7) }, (_, i) => bytes.subarray(i * 7, i * 7 + 7));
  return readHeldOut(Readable.from(pieces), { limit: 100, ...query });
}

const LABELS = ['猫', 'dog', 'emu'];
const EXAMPLES = examplesOf(5, (i) => LABELS[i % 3]!);
const FILE = writeHeldOut(
  answersOf(
    [
      [0.7, 0.2, 0.1],
      [0.6, 0.4, 0],
      [0.1, 0.3, 0.6],
      [0.25, 0.5, 0.25],
    ],
    [0, 1, 2, 0],
    [0, 1, 2, 3],
  ),
  LABELS,
  EXAMPLES,
);

const digests = (rows: HeldOutPrediction[]) => rows.map(({ sha256 }) => sha256);

t.test('each answer is there once, by digest, with all scores, the likeliest first', async (t) => {
  const { data, has_more } = await read(FILE);
  t.notOk(has_more);
  t.same(digests(data), [0, 1, 2, 3].map((i) => EXAMPLES[i]!.sha256).sort());
  t.same(
    data.find(({ sha256 }) => sha256 === EXAMPLES[1]!.sha256),
    {
      sha256: EXAMPLES[1]!.sha256,
      name: EXAMPLES[1]!.name,
      labels: ['dog'],
      predicted: '猫',
      scores: [
        { label: '猫', score: 0.6 },
        { label: 'dog', score: 0.4 },
        { label: 'emu', score: 0 },
      ],
    },
  );
});

t.test('pages follow each other without a gap', async (t) => {
  const all = digests((await read(FILE)).data);
  const seen: string[] = [];
  let more = true;
  while (more) {
    const page = await read(FILE, { limit: 1, after: seen.at(-1) });
    seen.push(...digests(page.data));
    more = page.has_more;
  }
  t.same(seen, all);
  t.same(await read(FILE, { after: 'f'.repeat(65) }), { data: [], has_more: false });
});

t.test('they are found by label, by what was predicted, and by whether that was wrong', async (t) => {
  const found = async (query: Partial<HeldOutQuery>) => new Set(digests((await read(FILE, query)).data));
  const of = (...places: number[]) => new Set(places.map((i) => EXAMPLES[i]!.sha256));
  t.same(await found({ label: '猫' }), of(0, 3));
  t.same(await found({ predicted: '猫' }), of(0, 1));
  t.same(await found({ wrong: true }), of(1, 3));
  t.same(await found({ wrong: false }), of(0, 2));
  t.same(await found({ wrong: true, predicted: 'dog' }), of(3));
  t.same(await found({ label: 'gnu' }), of());
});

t.test('the same answers give the same bytes, in whatever order they come', (t) => {
  const again = answersOf(
    [
      [0.25, 0.5, 0.25],
      [0.1, 0.3, 0.6],
      [0.6, 0.4, 0],
      [0.7, 0.2, 0.1],
    ],
    [0, 2, 1, 0],
    [3, 2, 1, 0],
  );
  t.equal(writeHeldOut(again, LABELS, EXAMPLES), FILE);
  t.end();
});

t.test('of more than a hundred labels the ten likeliest are kept, and its own', async (t) => {
  const random = seededRandom(1, 'many');
  const K = 101;
  const rows = Array.from({ length: 20 }, () => {
    const row = Array.from({ length: K }, () => random());
    const sum = row.reduce((a, b) => a + b, 0);
    return row.map((value) => value / sum);
  });
  const labels = Array.from({ length: K }, (_, k) => `label ${k}`);
  const examples = examplesOf(20, (i) => labels[i]!);
  const { data } = await read(writeHeldOut(answersOf(rows, [...rows.keys()]), labels, examples));
  for (const { labels: own, predicted, scores } of data) {
    t.ok(scores.length === 10 || (scores.length === 11 && scores[10]!.label === own[0]));
    t.ok(scores.some(({ label }) => label === own[0]));
    const i = labels.indexOf(own[0]!);
    t.equal(predicted, labels[rows[i]!.indexOf(Math.max(...rows[i]!))]);
  }
});

t.test('a stream is closed once its page is full', async (t) => {
  const stream = Readable.from(FILE.split(/(?<=\n)/).map((line) => Buffer.from(line)));
  t.match(await readHeldOut(stream, { limit: 1 }), { has_more: true });
  t.ok(stream.destroyed);
});
