/** Texts go the way of photos: a table becomes a data set, a job a version, and the same API classifies and hands it out. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { fromBufferPromise } from 'yauzl';
import { buffer } from 'node:stream/consumers';
import type { Dataset } from '../../src/schemas/datasets.js';
import type { Job } from '../../src/schemas/jobs.js';
import type { Prediction } from '../../src/schemas/predictions.js';
import type { Report } from '../../src/schemas/report.js';
import type { VersionManifest } from '../../src/schemas/versions.js';
import { form } from '../helpers/http.js';
import { photo, submit } from '../helpers/photos.js';
import { tableOfTexts, textAbout, TOPICS } from '../helpers/reviews.js';
import { serviceForTest } from '../helpers/service.js';

const service = await serviceForTest(t);
const { json, url } = service;
const PREDICT = '/v1/models/topics/predict';

const dataset = await json<Dataset>('/v1/datasets', {
  method: 'POST',
  body: tableOfTexts(60),
  headers: { 'content-type': 'text/csv' },
  status: 201,
});
const { id } = await submit(service, { dataset: dataset.id, model: 'topics' });
const job = await service.ended(id);

/** Any body and what came back. */
async function post(body: string | Uint8Array | object, type?: string, path = PREDICT) {
  const isJson = typeof body === 'object' && !(body instanceof Uint8Array);
  const response = await fetch(url + path, {
    method: 'POST',
    body: isJson ? JSON.stringify(body) : (body as string),
    headers: { 'content-type': type ?? (isJson ? 'application/json' : 'text/plain') },
  });
  return {
    status: response.status,
    answer: (await response.json()) as Prediction & { code?: string; detail?: string },
  };
}
const best = ({ answer }: { answer: Prediction }) => answer.results.map(({ predictions }) => predictions[0]!.label);

t.test('the job takes the backbone of texts without being told, and its report speaks of texts', async (t) => {
  t.match(dataset, { modality: 'text', examples: 180, class_count: 3 });
  t.match(job, { status: 'succeeded', backbone: 'ngrams' });
  const report = await json<Report>('/v1/models/topics/versions/1/report');
  t.ok(report.evaluation!.accuracy > 0.9, `accuracy ${report.evaluation!.accuracy}`);
  t.match(report.settings, { head: 'linear', recipe: 'ngrams-1' });
  const version = await json<VersionManifest>('/v1/models/topics/versions/1');
  t.equal(version.modality, 'text');
  const head = version.files.find(({ path }) => path === 'head/sparse.bin');
  t.ok(head!.bytes < 200_000, `${head!.bytes} bytes of a head`);
  const card = await (await fetch(`${url}/v1/models/topics/versions/1/files/README.md`)).text();
  t.match(card, /A classifier of texts for 3 classes/);
  t.notMatch(card, /image|photo|pixel/i);
});

t.test('texts are classified as a body, in JSON and as a form', async (t) => {
  const texts = TOPICS.map((topic, k) => textAbout(topic, 90_000 + k));
  t.same(best(await post(texts[0]!)), ['kitchen']);
  t.same(best(await post({ texts, top_k: 1 })), TOPICS);
  t.same(best(await post(texts[1]!, 'text/plain; charset=utf-8')), ['garden']);
  t.equal((await post('{ a text that begins like JSON', 'text/plain')).status, 200);
  const sent = form([
    { name: 'file', filename: 'a.txt', value: Buffer.from(texts[2]!) },
    { name: 'text', value: texts[0]! },
  ]);
  const response = await fetch(url + PREDICT, {
    method: 'POST',
    body: new Uint8Array(sent.body),
    headers: sent.headers,
  });
  const { results } = (await response.json()) as Prediction;
  t.same(
    results.map(({ name, predictions }) => [name, predictions[0]!.label]),
    [
      ['a.txt', 'harbour'],
      ['text', 'kitchen'],
    ],
  );
});

t.test('the shares of the words and the bias add up to the score', async (t) => {
  const text = 'The soup,  with salt and a ROSE on the plate';
  const { answer } = await post({ texts: [text], explain: true, nearest: 2 });
  const { explanation, predictions } = answer.results[0]!;
  const { words, bias, logit, nearest } = explanation!;
  t.same(
    words!.map((word) => word.text),
    text.split(/\s+/),
  );
  for (const { text: word, start, end } of words!) t.equal(text.slice(start, end), word);
  t.ok(Math.abs(words!.reduce((sum, { share }) => sum + share, bias!) - logit!) < 1e-4);
  const logs = predictions.map(({ score }) => Math.log(score));
  t.ok(
    Math.abs(logit! - (logs[0]! - logs.reduce((a, b) => a + b) / logs.length)) < 1e-3,
    'it is the score that was answered',
  );
  const share = (word: string) => words!.find((one) => one.text === word)!.share;
  t.ok(share('plate') > share('ROSE') && share('soup,') > 0 && share('ROSE') < 0);
  t.equal(nearest.length, 2);
  const other = await post({ texts: [text], explain: true, class: 'garden', nearest: 0 });
  t.ok(other.answer.results[0]!.explanation!.words!.find((one) => one.text === 'ROSE')!.share > 0);
});

t.test('what is no text, or is sent to a model of texts by mistake, has a clear answer', async (t) => {
  const refused = async (
    sent: Promise<{ status: number; answer: { code?: string; detail?: string } }>,
    status: number,
    code: string,
    detail: RegExp,
  ) => t.match(await sent, { status, answer: { code, detail } });
  await refused(post(new Uint8Array(await photo(0, 1)), 'image/jpeg'), 415, 'content_unsupported', /not a text/);
  await refused(post({ images: ['aGk='] }), 400, 'invalid_request', /classifies texts: send `texts`/);
  await refused(post({ texts: [] }), 400, 'invalid_request', /texts/);
  await refused(post({ texts: ['fine', 'half \ud83d'] }), 422, 'content_invalid', /texts\.1: .*surrogate/);
  await refused(post({ texts: ['fine', 'bell \u0007'] }), 415, 'content_unsupported', /texts\.1: .*U\+0007/);
  await refused(post({ texts: ['x'.repeat(2 ** 20 + 1)] }), 413, 'content_too_large', /MAX_TEXT_BYTES/);
  await refused(post('x'.repeat(10_000_000)), 413, 'content_too_large', /MAX_TEXT_BYTES/);
  await refused(post(''), 400, 'missing_file', /Send a text/);
  await refused(post(' \n '), 422, 'content_invalid', /empty/);
  const conflict = (settings: object) =>
    json('/v1/jobs', {
      method: 'POST',
      body: JSON.stringify({ dataset: dataset.id, model: 'other', ...settings }),
      headers: { 'content-type': 'application/json' },
      status: 422,
    }) as Promise<{ detail: string }>;
  t.match((await conflict({ backbone: 'rootstock_s' })).detail, /takes content of the kind 'image'/);
  t.match((await conflict({ head: 'mlp' })).detail, /linear head.*leave out head mlp/);
  t.match((await conflict({ trainable: 'top' })).detail, /No part of backbone 'ngrams' can be trained/);
});

t.test('the bundle runs without Graft, in Python and in JavaScript, and says what the service says', async (t) => {
  const folder = t.testdir();
  const zip = Buffer.from(
    await (await fetch(`${url}/v1/models/topics/versions/1/artifact?format=bundle`)).arrayBuffer(),
  );
  const opened = await fromBufferPromise(zip);
  for await (const entry of opened.eachEntry()) {
    const path = join(folder, entry.fileName);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, await buffer(await opened.openReadStreamPromise(entry)));
  }
  const texts = [
    ...TOPICS.map((topic, k) => textAbout(topic, 70_000 + k)),
    '  Soup! 好吃 ǅ İstanbul straße',
    '?',
    'ab',
  ];
  const { answer } = await post({ texts, top_k: 3 });
  const programs = [
    [process.execPath, 'classify.mjs'],
    ['python3', 'classify.py'],
  ] as const;
  for (const [command, program] of programs) {
    const missing = spawnSync(command, ['--version']).status !== 0 && `${command} is not here`;
    await t.test(program, { skip: missing }, async (t) => {
      const lines = execFileSync(command, [program, ...texts], { cwd: folder, encoding: 'utf8' })
        .trim()
        .split('\n');
      for (const [i, { predictions }] of answer.results.entries()) {
        const said = JSON.parse(lines[i]!) as Record<string, number>;
        for (const { label, score } of predictions) {
          t.ok(Math.abs(said[label]! - score) < 1e-5, `${texts[i]}: ${label} ${said[label]} = ${score}`);
        }
      }
    });
  }
  for (const [format, message] of [
    ['onnx', /no ONNX graph\. Take format bundle/],
    ['tfjs', /sparse features\. Take format bundle/],
  ] as const) {
    const response = await fetch(`${url}/v1/models/topics/versions/1/artifact?format=${format}`);
    t.match(await response.json(), { code: 'format_unavailable', detail: message });
  }
});

t.test('a job on texts can be judged by recommend', async (t) => {
  const { id: asked } = await json<Job>('/v1/backbones/recommend', {
    method: 'POST',
    body: JSON.stringify({ dataset: dataset.id }),
    headers: { 'content-type': 'application/json' },
    status: 202,
  });
  t.match((await service.ended(asked)).output, { backbone: 'ngrams', data: [{ backbone: 'ngrams' }] });
});
