import t, { type Test } from 'tap';
import { appForTest } from '../../helpers/app.js';
import { isProblem } from '../../helpers/http.js';

async function withTwoVersions(t: Test) {
  const app = await appForTest(t);
  await app.publish();
  await app.publish();
  const set = (body: unknown, alias = 'production') => app.put(`/v1/models/m/aliases/${alias}`, body);
  return { ...app, set };
}

t.test('an alias is set, moved, refused to a writer who looked too early, and rolled back', async (t) => {
  const { set, json } = await withTwoVersions(t);
  const first = await set({ version: 1, expected: null });
  t.same([first.status, JSON.parse(first.text)], [200, { alias: 'production', version: 1, previous: null }]);
  t.match(JSON.parse((await set({ version: 2, expected: 1 })).text), { version: 2, previous: 1 });
  isProblem(t, await set({ version: 1, expected: 1 }), 412, 'alias_conflict', 'stale');
  isProblem(t, await set({ version: 1, expected: null }), 412, 'alias_conflict', 'already there');
  t.match(await json('/v1/models/m'), { aliases: [{ alias: 'production', version: 2 }] });
  t.match(JSON.parse((await set({ version: 1 })).text), { version: 1, previous: 2 });
});

t.test('of six who move it at once one wins', async (t) => {
  const { set } = await withTwoVersions(t);
  await set({ version: 2 });
  const race = await Promise.all(Array.from({ length: 6 }, () => set({ version: 1, expected: 2 })));
  t.same(race.map(({ status }) => status).sort(), [200, 412, 412, 412, 412, 412]);
});

t.test('an alias is removed once', async (t) => {
  const { set, send, json } = await withTwoVersions(t);
  await set({ version: 1 });
  const remove = () => send('/v1/models/m/aliases/production', { method: 'DELETE' });
  t.equal((await remove()).status, 204);
  isProblem(t, await remove(), 404, 'alias_not_found', 'twice');
  t.match(await json('/v1/models/m'), { aliases: [] });
});

t.test('what cannot be an alias, and what it cannot point at, is refused', async (t) => {
  const { set, send, put } = await withTwoVersions(t);
  isProblem(t, await set({ version: 9 }), 404, 'version_not_found', 'unknown version');
  isProblem(t, await put('/v1/models/none/aliases/a', { version: 1 }), 404, 'model_not_found', 'unknown model');
  t.match(isProblem(t, await set({ version: 1 }, 'latest'), 400, 'invalid_request').detail, /always the newest/);
  for (const alias of ['UPPER', '1st', '..%2f', 'x'.repeat(65)]) {
    isProblem(t, await set({ version: 1 }, alias), 400, 'invalid_request', alias);
  }
  for (const body of [
    {},
    { version: '1' },
    { version: 0 },
    { version: 1.5 },
    { version: 1, x: 1 },
    [],
    null,
    5,
    { version: 1, expected: '1' },
  ]) {
    isProblem(t, await set(body), 400, 'invalid_request', JSON.stringify(body));
  }
  const raw = (body: string, type = 'application/json') =>
    send('/v1/models/m/aliases/a', { method: 'PUT', body, headers: { 'content-type': type } });
  isProblem(t, await raw(''), 400, 'invalid_json', 'empty');
  isProblem(t, await raw('{"version":'), 400, 'invalid_json', 'cut');
  isProblem(t, await raw('version=1', 'text/html'), 415, 'unsupported_media_type', 'HTML');
  isProblem(t, await raw(`{"version":1,"x":"${'x'.repeat(2_000_000)}"}`), 413, 'too_large', 'large');
});
