import { join } from 'node:path';
import t, { type Test } from 'tap';
import { EmbeddedBackbones } from '../../src/backbones/embedded.js';
import { importBackbone } from '../../src/backbones/image/import/import-backbone.js';
import { InstalledBackbones } from '../../src/backbones/installed.js';
import { PACKAGE_ROOT } from '../../src/config.js';
import { JobStore } from '../../src/jobs/job-store.js';
import { installBackbone, removeBackbone } from '../../src/operations/installed-backbones.js';
import { manifestKey } from '../../src/registry/keys.js';
import { Registry } from '../../src/registry/registry.js';
import { writeJson } from '../../src/storage/contract.js';
import { FileStorage } from '../../src/storage/file-storage.js';
import { jobRecord, jobResult } from '../helpers/jobs.js';
import { fileOf, plain } from '../helpers/onnx-models.js';

const JOB = 'job_00000000000000000000000001';

/** A storage in which `tiny` is installed. */
async function scene(t: Test) {
  const folder = t.testdir({ 'network.onnx': Buffer.from(fileOf(plain)), data: {} });
  const storage = new FileStorage({ root: join(folder, 'data') });
  const installed = new InstalledBackbones({ storage, folder: join(folder, 'cache') });
  const embedded = new EmbeddedBackbones({ folder: join(PACKAGE_ROOT, 'models') });
  const stores = {
    installed,
    embedded,
    storage,
    registry: new Registry({ storage }),
    jobs: new JobStore({ storage }),
  };
  const tiny = await importBackbone({ file: join(folder, 'network.onnx'), id: 'tiny' });
  await installBackbone(stores, tiny);
  const version = (tenant: string, number: number, sha256: string) =>
    writeJson(storage, manifestKey(tenant, 'pets', number), {
      model: 'pets',
      version: number,
      backbone: { id: 'tiny', sha256 },
    });
  return { ...stores, stores, tiny, version };
}

t.test('an id that is taken, or that of a backbone that Graft comes with, is refused', async (t) => {
  const { stores, tiny } = await scene(t);
  await t.rejects(installBackbone(stores, tiny), { code: 'invalid_request', message: /tiny already/ });
  const named = { ...tiny, card: { ...tiny.card, id: 'rootstock_s' } };
  await t.rejects(installBackbone(stores, named), { code: 'invalid_request', message: /comes with/ });
  await t.rejects(removeBackbone(stores, { id: 'rootstock_s' }), { code: 'invalid_request', message: /comes with/ });
  await t.rejects(removeBackbone(stores, { id: 'nothing' }), { code: 'backbone_not_found' });
});

t.test('a backbone that a version of any tenant needs is kept, unless that is overruled', async (t) => {
  const { stores, installed, version, tiny } = await scene(t);
  for (const number of [1, 2, 3, 4, 5]) await version('acme', number, tiny.card.sha256);
  await version('zoo', 7, tiny.card.sha256);
  await version('zoo', 8, 'a'.repeat(64)); // needs another file than the one that is here
  await t.rejects(removeBackbone(stores, { id: 'tiny' }), {
    code: 'backbone_in_use',
    message: /version 5 of model 'pets' of tenant 'acme'.* and 1 more:.*--force/,
    details: { users: { length: 6 } },
  });
  t.same(await installed.card('tiny'), tiny.card);
  await removeBackbone(stores, { id: 'tiny', force: true });
  t.same(await installed.ids(), []);
});

t.test('the default backbone is kept, for no server starts without it', async (t) => {
  const { stores } = await scene(t);
  await t.rejects(removeBackbone(stores, { id: 'tiny', defaultBackbone: 'tiny' }), {
    code: 'backbone_in_use',
    message: /jobs that name none/,
  });
  await removeBackbone(stores, { id: 'tiny', defaultBackbone: 'rootstock_s' });
});

t.test('a backbone that a job needs is kept until it has ended', async (t) => {
  const { stores, installed } = await scene(t);
  await stores.jobs.create(jobRecord({ id: JOB, tenant: 'zoo', needs: { backbones: ['tiny'] } }));
  await t.rejects(removeBackbone(stores, { id: 'tiny' }), {
    code: 'backbone_in_use',
    message: new RegExp(`needed by job '${JOB}' of tenant 'zoo':`),
  });
  await stores.jobs.finish({ id: JOB, tenant: 'zoo' }, jobResult('failed'));
  await removeBackbone(stores, { id: 'tiny' });
  t.same(await installed.ids(), []);
});
