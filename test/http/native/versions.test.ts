import t from 'tap';
import type { VersionManifest } from '../../../src/schemas/versions.js';
import { appForTest } from '../../helpers/app.js';
import { isProblem } from '../../helpers/http.js';

t.test('versions are listed newest first, page by page', async (t) => {
  const { json, publish } = await appForTest(t);
  const published: VersionManifest[] = [];
  for (let n = 0; n < 3; n += 1) published.unshift({ ...(await publish()) });
  for (const version of published) {
    const self = `/v1/models/m/versions/${version.version}`;
    const places = ['report', 'predict', 'card', 'artifact'].map((name) => [name, `${self}/${name}`]);
    version.links = { self, ...Object.fromEntries(places) };
  }
  t.same(await json('/v1/models/m/versions'), { data: published, has_more: false });
  t.same(await json('/v1/models/m/versions/2'), published[1]);
  t.same(await json('/v1/models/m/versions?limit=2'), { data: published.slice(0, 2), has_more: true });
  t.same(await json('/v1/models/m/versions?limit=2&after=2'), { data: published.slice(2), has_more: false });
});

t.test('a deleted version is gone, its number is not used again, and an alias protects', async (t) => {
  const { send, json, publish, put } = await appForTest(t);
  await publish();
  await publish();
  await put('/v1/models/m/aliases/production', { version: 1 });
  const remove = (version: number) => send(`/v1/models/m/versions/${version}`, { method: 'DELETE' });
  t.match(isProblem(t, await remove(1), 409, 'version_in_use').detail, /'production'/);
  t.equal((await remove(2)).status, 204);
  isProblem(t, await remove(2), 404, 'version_not_found', 'twice');
  isProblem(t, await send('/v1/models/m/versions/2'), 404, 'version_not_found', 'gone');
  t.equal((await publish()).version, 3);
  t.same((await json<{ versions: number[] }>('/v1/models/m')).versions, [3, 1]);
});

t.test('numbers that are none, and versions that are not there, are refused', async (t) => {
  const { send, publish } = await appForTest(t);
  await publish();
  for (const version of ['0', '-1', '1.5', 'one', '1000000001']) {
    isProblem(t, await send(`/v1/models/m/versions/${version}`), 400, 'invalid_request', version);
  }
  isProblem(t, await send('/v1/models/m/versions?after=x'), 400, 'invalid_request', 'after what is no number');
  isProblem(t, await send('/v1/models/none/versions'), 404, 'model_not_found', 'a list of nothing');
  for (const method of ['GET', 'DELETE'] as const) {
    isProblem(t, await send('/v1/models/m/versions/1000000000', { method }), 404, 'version_not_found', method);
    isProblem(t, await send('/v1/models/none/versions/1', { method }), 404, 'model_not_found', method);
  }
});

t.test('what a version said of held-out examples is listed by label, answer and mistake, page by page', async (t) => {
  const { send, json, publish } = await appForTest(t);
  const digest = (n: number) => String(n).repeat(64);
  const lines = [
    { format: 1, on: 'test', labels: ['a', 'b'] },
    ...[
      [0, 0],
      [0, 1],
      [1, 1],
      [1, 0],
    ].map(([label, guess], n) => ({
      sha256: digest(n),
      name: `${n}.txt`,
      labels: [label],
      scores: [
        [guess, 0.75],
        [1 - guess!, 0.25],
      ],
    })),
  ];
  await publish();
  await publish({
    files: { 'predictions/held-out.ndjson': lines.map((line) => `${JSON.stringify(line)}\n`).join('') },
  });
  const path = '/v1/models/m/versions/2/predictions';
  const ask = async (query = '') => {
    const { data, has_more } = await json<{ data: { name: string }[]; has_more: boolean }>(`${path}?${query}`);
    return [data.map(({ name }) => name), has_more];
  };
  const all = await json<{ data: unknown[] }>(path);
  t.same(all.data[1], {
    sha256: digest(1),
    name: '1.txt',
    labels: ['a'],
    predicted: 'b',
    scores: [
      { label: 'b', score: 0.75 },
      { label: 'a', score: 0.25 },
    ],
  });
  t.same(await ask(), [['0.txt', '1.txt', '2.txt', '3.txt'], false]);
  t.same(await ask('label=a'), [['0.txt', '1.txt'], false]);
  t.same(await ask('predicted=a'), [['0.txt', '3.txt'], false]);
  t.same(await ask('wrong=true'), [['1.txt', '3.txt'], false]);
  t.same(await ask('wrong=false&label=b'), [['2.txt'], false]);
  t.same(await ask('limit=3'), [['0.txt', '1.txt', '2.txt'], true]);
  t.same(await ask(`limit=3&after=${digest(2)}`), [['3.txt'], false]);
  t.same(await json('/v1/models/m/versions/1/predictions'), { data: [], has_more: false }, 'one without any');
  isProblem(t, await send(`${path}?wrong=perhaps`), 400, 'invalid_request');
  isProblem(t, await send('/v1/models/m/versions/9/predictions'), 404, 'version_not_found');
});
