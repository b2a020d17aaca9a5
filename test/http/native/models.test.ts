import t from 'tap';
import type { ModelSummary, VersionManifest } from '../../../src/schemas/versions.js';
import { appForTest } from '../../helpers/app.js';
import { isProblem } from '../../helpers/http.js';

t.test('models are listed by name, page by page, each with its newest version; one by itself has all', async (t) => {
  const { json, publish, put } = await appForTest(t);
  for (const model of ['c', 'a', 'b', 'a']) await publish({ model });
  await put('/v1/models/a/aliases/best', { version: 1 });
  type Page = { data: ModelSummary[]; has_more: boolean };
  const all = await json<Page>('/v1/models');
  t.same([all.data.map(({ name }) => name), all.has_more], [['a', 'b', 'c'], false]);
  t.same(all.data[0]!.latest, await json<VersionManifest>('/v1/models/a/versions/2'));
  const model = await json('/v1/models/a');
  t.match(model, { ...all.data[0], versions: [2, 1], aliases: [{ alias: 'best', version: 1 }] });
  const page = await json<Page>('/v1/models?limit=2');
  t.same([page.data.map(({ name }) => name), page.has_more], [['a', 'b'], true]);
  const rest = await json<Page>('/v1/models?limit=2&after=b');
  t.same([rest.data.map(({ name }) => name), rest.has_more], [['c'], false]);
});

t.test('a model is deleted with all that it has', async (t) => {
  const { send, json, publish, put } = await appForTest(t);
  await publish();
  await put('/v1/models/m/aliases/best', { version: 1 });
  const named = await send('/v1/models/m', { method: 'DELETE' });
  t.match(isProblem(t, named, 409, 'model_in_use', 'an alias names it').detail, /'best'.*force=true/);
  t.equal((await send('/v1/models/m?force=true', { method: 'DELETE' })).status, 204);
  for (const path of ['', '/versions', '/versions/1', '/versions/1/report', '/versions/1/artifact']) {
    isProblem(t, await send(`/v1/models/m${path}`), 404, 'model_not_found', path);
  }
  isProblem(t, await send('/v1/models/m', { method: 'DELETE' }), 404, 'model_not_found', 'twice');
  t.same(await json('/v1/models'), { data: [], has_more: false });
});

t.test('names that cannot be, and wrong queries, are refused', async (t) => {
  const { send } = await appForTest(t);
  for (const path of [
    '/v1/models/UPPER',
    '/v1/models/..%2F..',
    '/v1/models/%2e%2e%2f',
    `/v1/models/${'x'.repeat(65)}`,
    '/v1/models/m%00',
    '/v1/models?limit=-5',
    '/v1/models/%E0%A4%A',
  ]) {
    isProblem(t, await send(path), 400, 'invalid_request', path);
  }
  isProblem(t, await send(`/v1/models/${'x'.repeat(5000)}`), undefined, undefined, 'a very long name');
});
