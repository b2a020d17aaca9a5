import t from 'tap';
import { appForTest } from '../../helpers/app.js';
import { isProblem } from '../../helpers/http.js';
import type { Job } from '../../../src/schemas/jobs.js';
import type { BackboneCatalog } from '../../../src/schemas/backbones.js';
import { content } from '../../helpers/light-content.js';

t.test('backbones are listed with what this server does with them', async (t) => {
  const { json, publish, send } = await appForTest(t);
  type List = { data: Record<string, unknown>[]; has_more: boolean };
  const before = await json<List>('/v1/backbones');
  t.match(before, { has_more: false, data: [{ id: 'light', default: true, loaded: false, provider: null }] });
  t.equal(before.data.length, 1);
  t.notOk('file' in before.data[0]!, 'what lies on the disk is nobody’s business');
  await publish();
  await send('/v1/models/m/predict', { method: 'POST', body: content(0) });
  t.match(await json('/v1/backbones'), { data: [{ loaded: true, provider: 'cpu', unavailable_providers: [] }] });
});

t.test('a network of the catalog is pulled by a job; asked for again, it is the same job', async (t) => {
  const { json, post, send, end } = await appForTest(t);
  const catalog = await json<BackboneCatalog>('/v1/backbones/catalog');
  t.match(catalog, { pull_allowed: true, has_more: false });
  t.match(
    catalog.data.find(({ id }) => id === 'mobilenet_v2'),
    { name: /MobileNet/, installed: false, license: 'Apache-2.0', input_px: 224 },
  );
  const answer = await post('/v1/backbones/pull', { id: 'mobilenet_v2' });
  t.equal(answer.status, 202, answer.text);
  const job = JSON.parse(answer.text) as Job;
  t.match(job, { kind: 'pull', status: 'queued', backbone: 'mobilenet_v2', model: null, dataset: null });
  t.equal(answer.headers.location, `/v1/jobs/${job.id}`);
  const again = await post('/v1/backbones/pull', { id: 'mobilenet_v2' });
  t.equal((JSON.parse(again.text) as Job).id, job.id);
  t.equal(again.headers['idempotency-replayed'], 'true');
  await end(job);
  const later = await post('/v1/backbones/pull', { id: 'mobilenet_v2' });
  t.not((JSON.parse(later.text) as Job).id, job.id, 'one that has ended is no answer');
  isProblem(t, await post('/v1/backbones/pull', { id: 'nonsense' }), 404, 'not_found');
  isProblem(
    t,
    await post('/v1/backbones/pull', { id: 'mobilenet_v2', from: 'http://evil.test/x.onnx' }),
    400,
    'invalid_request',
  );
  isProblem(t, await send('/v1/backbones/pull', { method: 'POST' }), 415, 'unsupported_media_type');
});

t.test('who may pull: ALLOW_PULL; by itself this machine without keys, and the key of the first start', async (t) => {
  const pull = { id: 'mobilenet_v2' };
  const closed = await appForTest(t, { env: { ALLOW_PULL: 'false' } });
  t.match(await closed.json('/v1/backbones/catalog'), { pull_allowed: false });
  isProblem(t, await closed.post('/v1/backbones/pull', pull), 403, 'forbidden');
  const keyed = await appForTest(t, { keys: { alice: 'key' } });
  isProblem(t, await keyed.post('/v1/backbones/pull', pull, { as: 'alice' }), 403, 'forbidden');
  keyed.keyRing.name('alice', 'key', 'first');
  t.match(await keyed.json('/v1/backbones/catalog', { as: 'alice' }), { pull_allowed: true });
  t.equal((await keyed.post('/v1/backbones/pull', pull, { as: 'alice' })).status, 202);
  const opened = await appForTest(t, { keys: { alice: 'key' }, env: { ALLOW_PULL: 'true' } });
  t.equal((await opened.post('/v1/backbones/pull', pull, { as: 'alice' })).status, 202);
});
