/** What a key may do: every operation against every scope, and keys that are for some models only. */
import t from 'tap';
import { ALL_SCOPES, type Scope } from '../../src/access/scopes.js';
import type { Dataset } from '../../src/schemas/datasets.js';
import type { Job } from '../../src/schemas/jobs.js';
import { appForTest, type SendOptions } from '../helpers/app.js';
import { zip } from '../helpers/archives.js';
import { isProblem } from '../helpers/http.js';
import { content, lightFiles } from '../helpers/light-content.js';

const ZEROS = '0'.repeat(26);
const VALUES: Record<string, string> = {
  model: 'm',
  version: '1',
  alias: 'a',
  path: 'labels.json',
  sha256: '0'.repeat(64),
};

/** What each operation asks; a new one is added here by hand, so that nobody opens it by mistake. */
const ASKS: Record<string, Scope | 'public'> = {
  getLiveness: 'public',
  getReadiness: 'public',
  getService: 'public',
  getMetrics: 'operator',
  createDataset: 'train',
  listDatasets: 'read',
  getDataset: 'read',
  getExample: 'read',
  drawDataset: 'train',
  deleteDataset: 'admin',
  createJob: 'train',
  listJobs: 'read',
  listAllJobs: 'operator',
  getJob: 'read',
  cancelJob: 'train',
  listJobEvents: 'read',
  listModels: 'read',
  getModel: 'read',
  deleteModel: 'admin',
  listVersions: 'read',
  getVersion: 'read',
  deleteVersion: 'admin',
  listHeldOutPredictions: 'read',
  getReport: 'read',
  getReportByAlias: 'read',
  getCurvesChart: 'read',
  getConfusionChart: 'read',
  getVersionFile: 'read',
  getCard: 'read',
  getCardByAlias: 'read',
  getArtifact: 'read',
  getArtifactByAlias: 'read',
  setAlias: 'admin',
  deleteAlias: 'admin',
  predict: 'predict',
  predictWithVersion: 'predict',
  predictWithAlias: 'predict',
  listBackbones: 'read',
  listBackboneCatalog: 'operator',
  pullBackbone: 'operator',
  recommendBackbone: 'train',
};

interface Operation {
  operationId: string;
  method: NonNullable<SendOptions['method']>;
  path: string;
}

t.test('each operation × each scope: what its route asks, and nothing else', async (t) => {
  const keys = Object.fromEntries(ALL_SCOPES.map((scope) => [scope, `key-that-may-${scope}`]));
  const scopes = Object.fromEntries(ALL_SCOPES.map((scope) => [scope, [scope]]));
  const { app, send } = await appForTest(t, { keys, scopes });
  await app.ready();
  const { paths } = app.swagger() as unknown as { paths: Record<string, Record<string, { operationId: string }>> };
  const operations: Operation[] = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { operationId }]) => ({
      operationId,
      method: method.toUpperCase() as Operation['method'],
      path: path.replace(/\{(\w+)\}/g, (_all, name: string) =>
        name === 'id' ? `${path.includes('/jobs/') ? 'job' : 'ds'}_${ZEROS}` : VALUES[name]!,
      ),
    })),
  );
  t.same(operations.map(({ operationId }) => operationId).sort(), Object.keys(ASKS).sort(), 'all are listed above');
  for (const { operationId, method, path } of operations) {
    for (const scope of ALL_SCOPES) {
      const answer = await send(path, { method, as: scope });
      const asks = ASKS[operationId];
      const what = `${operationId} with ${scope}`;
      if (asks === scope || asks === 'public') t.not(answer.status, 403, what);
      else isProblem(t, answer, 403, 'forbidden', what);
    }
  }
});

t.test('a route that does not say what it asks keeps the service from starting', async (t) => {
  const { requireScopes } = await import('../../src/http/authorise.js');
  const { fastify } = await import('fastify');
  const silent = fastify();
  requireScopes(silent);
  silent.get('/new', async () => 'x');
  await t.rejects(async () => silent.ready(), /GET \/new does not say which scope it needs/);
});

t.test('a key that is for some models sees these alone', async (t) => {
  const { keyRing, send, json, post, publish, app } = await appForTest(t, { keys: { default: 'all' } });
  await publish({ model: 'cats' });
  await publish({ model: 'dogs' });
  const files = zip(lightFiles(['a', 'b'], 5));
  const upload = (as: string) => json<Dataset>('/v1/datasets', { method: 'POST', body: files, as, status: 201 });
  const train = (as: string, dataset: string, model: string) => post('/v1/jobs', { dataset, model }, { as });
  keyRing.limit('default', 'for-cats', ['cats']);
  const [others, own] = [await upload('default'), await upload('for-cats')];
  const foreign = JSON.parse((await train('default', others.id, 'dogs')).text) as Job;
  const trained = await train('for-cats', own.id, 'cats');
  t.equal(trained.status, 202, trained.text);

  const names = async (path: string) =>
    (await json<{ data: { id?: string; name: string }[] }>(path, { as: 'for-cats' })).data;
  t.same(
    (await names('/v1/models')).map(({ name }) => name),
    ['cats'],
  );
  t.same(
    (await names('/v1/jobs')).map(({ id }) => id),
    [JSON.parse(trained.text).id],
  );
  t.same(
    (await names('/v1/datasets')).map(({ id }) => id),
    [own.id],
  );
  const ask = (path: string, options: SendOptions = {}) => send(path, { as: 'for-cats', ...options });
  for (const path of [
    '/v1/models/dogs',
    '/v1/models/dogs/versions/1/report',
    '/v1/models/dogs/aliases/latest/artifact',
  ]) {
    isProblem(t, await ask(path), 403, 'forbidden', path);
  }
  isProblem(t, await ask('/v1/models/dogs/predict', { method: 'POST', body: content(0) }), 403, 'forbidden');
  isProblem(t, await ask('/v1/models/dogs', { method: 'DELETE' }), 403, 'forbidden');
  isProblem(t, await train('for-cats', own.id, 'dogs'), 403, 'forbidden', 'training another model');
  isProblem(t, await train('for-cats', others.id, 'cats'), 404, 'dataset_not_found', 'on what others sent');
  for (const path of [`/v1/jobs/${foreign.id}`, `/v1/jobs/${foreign.id}/events`]) {
    isProblem(t, await ask(path), 404, 'job_not_found', path);
  }
  isProblem(t, await ask(`/v1/jobs/${foreign.id}/cancel`, { method: 'POST' }), 404, 'job_not_found');
  isProblem(t, await ask(`/v1/datasets/${others.id}`), 404, 'dataset_not_found');
  isProblem(t, await ask(`/v1/datasets/${others.id}`, { method: 'DELETE' }), 404, 'dataset_not_found');
  t.equal((await ask('/v1/models/cats/predict', { method: 'POST', body: content(0) })).status, 200);
  t.ok(app);
});
