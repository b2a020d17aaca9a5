/** Requests for predictions: how examples are sent, and what is refused. What real networks answer: test/flows. */
import t, { type Test } from 'tap';
import type { Prediction } from '../../../src/schemas/predictions.js';
import { type AppForTest, appForTest } from '../../helpers/app.js';
import { form, isProblem } from '../../helpers/http.js';
import { content, LIGHT, LIGHT_CARD, lightBackbone } from '../../helpers/light-content.js';

const PATH = '/v1/models/m/predict';
const JSON_TYPE = { 'content-type': 'application/json' };

async function withModel(t: Test, options: AppForTest = {}) {
  const app = await appForTest(t, options);
  await app.publish({ labels: ['a', 'b', 'c'] });
  const ask = (body: Buffer | string, path = PATH, headers: Record<string, string> = {}) =>
    app.send(path, { method: 'POST', body, headers });
  const answer = async (...asked: Parameters<typeof ask>) => {
    const { status, text } = await ask(...asked);
    if (status !== 200) throw new Error(`${status}: ${text}`);
    return JSON.parse(text) as Prediction;
  };
  return { ...app, ask, answer };
}

const labels = ({ results }: Prediction) => results.map(({ predictions }) => predictions[0]!.label);

t.test('one example is classified, whatever type its body claims', async (t) => {
  const { answer } = await withModel(t);
  const one = await answer(content(1), PATH, { 'content-type': 'image/jpeg' });
  t.match(one, { model: 'm', version: 1, backbone: 'light' });
  const [{ name, predictions }] = one.results as [Prediction['results'][0]];
  t.equal(name, 'body');
  t.same(predictions.map(({ label }) => label).sort(), ['a', 'b', 'c']);
  t.equal(predictions[0]!.label, 'b');
  t.ok(Math.abs(predictions.reduce((sum, { score }) => sum + score, 0) - 1) < 1e-4);
  for (const time of ['decode_ms', 'queue_ms', 'inference_ms', 'total_ms'] as const) t.ok(one.timings[time] >= 0, time);
  t.same((await answer(content(1))).results, one.results, 'no content type');
  for (const type of ['application/x-www-form-urlencoded', 'application/octet-stream', 'image/png', 'text/plain']) {
    t.same((await answer(content(1), PATH, { 'content-type': type })).results, one.results, type);
  }
});

t.test('several come as a form or as JSON, and are answered in order', async (t) => {
  const { answer } = await withModel(t);
  const kinds = [1, 0, 2, 1];
  const made = form(kinds.map((kind, i) => ({ name: 'images', value: content(kind), filename: `${i}.jpg` })));
  const many = await answer(made.body, `${PATH}?top_k=1`, made.headers);
  t.same(labels(many), ['b', 'a', 'c', 'b']);
  t.same(
    many.results.map(({ name, predictions }) => [name, predictions.length]),
    kinds.map((_, i) => [`${i}.jpg`, 1]),
  );
  const base64 = kinds.map((kind) => content(kind).toString('base64'));
  const images = [
    base64[0],
    `data:image/jpeg;base64,${base64[1]}`,
    `${base64[2]!.slice(0, 4)}\n${base64[2]!.slice(4)}`,
  ];
  const json = await answer(JSON.stringify({ images }), `${PATH}?top_k=2`, JSON_TYPE);
  t.same(labels(json), ['b', 'a', 'c']);
  t.same(
    json.results.map(({ name, predictions }) => [name, predictions.length]),
    [
      ['images.0', 2],
      ['images.1', 2],
      ['images.2', 2],
    ],
  );
});

t.test('the version is the newest, a number or an alias', async (t) => {
  const { answer, ask, publish, put } = await withModel(t);
  t.equal((await answer(content(0))).version, 1);
  await publish({ labels: ['x', 'y'] });
  await put('/v1/models/m/aliases/best', { version: 1 });
  for (const [path, version] of [
    ['predict', 2],
    ['versions/1/predict', 1],
    ['versions/2/predict', 2],
    ['aliases/best/predict', 1],
    ['aliases/latest/predict', 2],
  ] as const) {
    const said = await answer(content(0), `/v1/models/m/${path}`);
    t.same([said.version, labels(said)], [version, [version === 1 ? 'a' : 'x']], path);
  }
  for (const [path, code] of [
    ['m/versions/3/predict', 'version_not_found'],
    ['m/aliases/none/predict', 'alias_not_found'],
    ['none/predict', 'model_not_found'],
    ['none/versions/1/predict', 'model_not_found'],
    ['none/aliases/a/predict', 'model_not_found'],
  ] as const) {
    isProblem(t, await ask('no content, and it is not looked at', `/v1/models/${path}`), 404, code, path);
  }
});

t.test('a version that was published or deleted is served or not from that moment on', async (t) => {
  const { answer, ask, publish, send } = await withModel(t);
  t.equal((await answer(content(0))).version, 1);
  await publish();
  t.equal((await answer(content(0))).version, 2);
  await send('/v1/models/m/versions/2', { method: 'DELETE' });
  t.equal((await answer(content(0))).version, 1);
  await send('/v1/models/m', { method: 'DELETE' });
  isProblem(t, await ask(content(0)), 404, 'model_not_found');
});

t.test('an explanation is given where it is asked for, and changes no prediction', async (t) => {
  const { answer, ask } = await withModel(t);
  const plain = await answer(content(2));
  t.notOk('explanation' in plain.results[0]!);
  const why = await answer(content(2), `${PATH}?explain=true`);
  t.same(why.results[0]!.predictions, plain.results[0]!.predictions);
  t.match(why.results[0]!.explanation, {
    label: 'c',
    map: null,
    no_map: /nothing to see/,
    nearest: [],
    nearest_among: 0,
  });
  for (const path of ['versions/1', 'aliases/latest']) {
    t.same((await answer(content(2), `/v1/models/m/${path}/predict?explain=true`)).results, why.results, path);
  }
  const other = await answer(content(2), `${PATH}?explain=true&class=a`);
  t.equal(other.results[0]!.explanation!.label, 'a');
  for (const [query, says] of [
    ['explain=true&class=dog', /'dog' is none of the 3 classes of 'm', such as 'a'/],
    ['class=a', /add explain=true/],
    ['explain=perhaps', /explain/],
    ['explain=true&nearest=51', /nearest/],
  ] as const) {
    t.match(isProblem(t, await ask(content(2), `${PATH}?${query}`), 400, 'invalid_request', query).detail, says);
  }
  const many = JSON.stringify({ images: new Array(17).fill(content(1).toString('base64')) });
  isProblem(t, await ask(many, `${PATH}?explain=true`, JSON_TYPE), 413, 'too_large', '17 to explain');
});

t.test('a backbone that has nothing to show is explained by what is near', async (t) => {
  const open = async () => {
    const { explain: _explain, ...backbone } = lightBackbone();
    return backbone;
  };
  const { answer } = await withModel(t, { modality: { ...LIGHT, open } });
  const { results } = await answer(content(2), `${PATH}?explain=true`);
  t.same(results[0]!.explanation, { label: 'c', nearest: [], nearest_among: 0 });
});

t.test('what is no content is refused by its place in the request', async (t) => {
  const { ask } = await withModel(t);
  isProblem(t, await ask('ABC'), 415, 'content_unsupported', 'ABC');
  isProblem(t, await ask(''), 400, 'missing_file', 'no bytes');
  const images = ['kind 1', 'ABC', 'kind 9'].map((text) => Buffer.from(text).toString('base64'));
  const problem = isProblem(t, await ask(JSON.stringify({ images }), PATH, JSON_TYPE), 415, 'content_unsupported');
  t.match(problem.detail, /^images\.1: /);
  t.match(problem.examples, [
    { index: 1, name: 'images.1', code: 'content_unsupported' },
    { index: 2, name: 'images.2', code: 'content_invalid' },
  ]);
});

t.test('bodies and queries have types and bounds', async (t) => {
  const { ask } = await withModel(t);
  for (const body of [
    '{}',
    '{"images":[]}',
    '{"images":"x"}',
    '{"images":[1]}',
    '{"images":["%%%"]}',
    '{"images":["QUJD"],"x":1}',
    '[]',
    'null',
  ]) {
    isProblem(t, await ask(body, PATH, JSON_TYPE), 400, 'invalid_request', body);
  }
  isProblem(t, await ask('', PATH, JSON_TYPE), 400, 'invalid_json', 'empty');
  isProblem(t, await ask('{"images":', PATH, JSON_TYPE), 400, 'invalid_json', 'cut');
  for (const query of ['top_k=0', 'top_k=10001', 'top_k=x', 'top_k=1.5', 'k=1']) {
    isProblem(t, await ask(content(1), `${PATH}?${query}`), 400, 'invalid_request', query);
  }
});

t.test('what is too large, or too many, is refused', async (t) => {
  const { ask } = await withModel(t, {
    env: { MAX_PREDICT_BYTES: '6000', MAX_PREDICT_EXAMPLES: '4', MAX_EXAMPLE_BYTES: '4000' },
  });
  const padded = (bytes: number) => Buffer.concat([content(1), Buffer.alloc(bytes, ' ')]);
  const made = (count: number, value: Buffer) => {
    const { body, headers } = form(
      Array.from({ length: count }, (_, i) => ({ name: 'file', value, filename: `${i}.jpg` })),
    );
    return ask(body, PATH, headers);
  };
  t.equal((await made(4, content(1))).status, 200);
  isProblem(t, await ask(padded(6000)), 413, 'too_large', 'body');
  isProblem(t, await made(5, content(1)), undefined, undefined, 'five in a form');
  isProblem(t, await made(1, padded(4000)), 413, 'content_too_large', 'one of them');
  isProblem(t, await made(2, padded(3500)), 413, 'too_large', 'their sum');
  const five = JSON.stringify({ images: new Array(5).fill(content(1).toString('base64')) });
  isProblem(t, await ask(five, PATH, JSON_TYPE), 413, 'too_large', 'five in JSON');
});

t.test('a million in JSON are refused by their number, not one by one', async (t) => {
  const { ask } = await withModel(t, { env: { MAX_PREDICT_EXAMPLES: '4' } });
  const answer = await ask(`{"images":[${'1,'.repeat(999_999)}1]}`, PATH, JSON_TYPE);
  t.match(isProblem(t, answer, 413, 'too_large').detail, /1000000 examples in one request; at most 4/);
  t.ok(answer.text.length < 1000);
});

t.test('forms that are not right are refused', async (t) => {
  const { ask } = await withModel(t);
  const file = { name: 'file', value: content(1), filename: 'a.jpg' };
  const right = form([file]);
  const type = right.headers['content-type']!;
  const post = (body: Buffer, contentType: string) => ask(body, PATH, { 'content-type': contentType });
  isProblem(t, await post(right.body, 'multipart/form-data'), 400, 'invalid_multipart', 'no boundary');
  isProblem(t, await post(right.body, 'multipart/form-data; boundary=other'), 400, undefined, 'another boundary');
  isProblem(t, await post(right.body.subarray(0, 90), type), 400, 'invalid_multipart', 'cut');
  for (const [what, parts, code] of [
    ['no part', [], undefined],
    ['no file', [{ name: 'top_k', value: '1' }], 'missing_file'],
    ['an unknown field', [{ name: 'x', value: '1' }, file], 'invalid_multipart'],
    ['a long field', [{ name: 'x', value: 'x'.repeat(300_000) }, file], 'invalid_multipart'],
    [
      '60 fields',
      [...Array.from({ length: 60 }, (_, i) => ({ name: `f${i}`, value: 'x' })), file],
      'invalid_multipart',
    ],
  ] as const) {
    const { body, headers } = form([...parts]);
    isProblem(t, await ask(body, PATH, headers), 400, code, what);
  }
});

t.test('a version on another backbone than the one that is there is refused', async (t) => {
  const { publish, ask } = await withModel(t);
  await publish({ backbone: { id: LIGHT_CARD.id, sha256: '2'.repeat(64), dimensions: 4 } });
  isProblem(t, await ask(content(1)), 409, 'backbone_mismatch');
  t.equal((await ask(content(1), '/v1/models/m/versions/1/predict')).status, 200, 'another version goes on');
});
