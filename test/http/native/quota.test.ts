/** What a tenant may take on disk is refused before a byte of the body is read. */
import { Readable } from 'node:stream';
import t from 'tap';
import type { Dataset } from '../../../src/schemas/datasets.js';
import { appForTest } from '../../helpers/app.js';
import { zip } from '../../helpers/archives.js';
import { isProblem } from '../../helpers/http.js';
import { lightFiles } from '../../helpers/light-content.js';

const archive = zip(lightFiles(['a', 'b'], 20));

t.test('data sets and versions count, others’ do not, and deleting makes room', async (t) => {
  const env = { MAX_TENANT_BYTES: String(archive.length + 300) };
  const app = await appForTest(t, { env, keys: { alice: 'alice-key', bob: 'bob-key' } });
  const { json, send, publish, post } = app;
  const upload = (as: string, body: Buffer | Readable = archive) => send('/v1/datasets', { method: 'POST', as, body });
  const first = await upload('alice');
  t.equal(first.status, 201, first.text);
  const { id } = JSON.parse(first.text) as Dataset;
  const refused = await send('/v1/datasets', {
    method: 'POST',
    as: 'alice',
    body: archive,
  });
  const problem = isProblem(t, refused, 403, 'quota_exceeded', 'one more');
  t.match(
    problem.detail,
    /take \d+ bytes, and this is \d+ more; at most \d+ are allowed \(MAX_TENANT_BYTES\)\. Delete some/,
  );
  isProblem(
    t,
    await upload('alice', Readable.from([archive])),
    403,
    'quota_exceeded',
    'of a size that was not announced',
  );
  t.equal((await upload('bob')).status, 201, 'another tenant');
  await json(`/v1/datasets/${id}`, { method: 'DELETE', as: 'alice', status: 204 });
  t.equal((await upload('alice')).status, 201, 'after deleting');
  await publish({ tenant: 'alice', model: 'big', files: { 'report.json': 'x'.repeat(archive.length) } });
  const { data } = await json<{ data: Dataset[] }>('/v1/datasets', { as: 'alice' });
  const job = await post('/v1/jobs', { dataset: data[0]!.id, model: 'm' }, { as: 'alice' });
  isProblem(t, job, 403, 'quota_exceeded', 'a job where versions take all');
});
