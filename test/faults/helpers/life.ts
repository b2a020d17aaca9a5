/**
 * Everything that storage sees in the life of two versions: upload, job, publication, alias, the next version, deletion.
 * Forked (`life.js ROOT CALL MOMENT ATTEMPT`), it is killed at its k-th storage call.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Datasets } from '../../../src/datasets/datasets.js';
import { AppError } from '../../../src/errors.js';
import { JobStore, type PendingJob } from '../../../src/jobs/job-store.js';
import { Registry } from '../../../src/registry/registry.js';
import type { Storage } from '../../../src/storage/contract.js';
import { FileStorage } from '../../../src/storage/file-storage.js';
import { zip } from '../../helpers/archives.js';
import { IMAGES, image, pieces } from '../../helpers/datasets.js';
import { jobRecord, jobResult } from '../../helpers/jobs.js';
import { FaultyStorage, type Moment } from './faulty-storage.js';

export const JOBS = ['job_00000000000000000000000001', 'job_00000000000000000000000002'];
const TENANT = 'default';
const MODEL = 'cats';

/** @param attempt makes what is computed differ a little, as times in a report do */
export async function life(options: { storage: Storage; root: string; attempt: number }): Promise<void> {
  const { storage, root, attempt } = options;
  const datasets = new Datasets({
    storage,
    temporaryFolder: join(root, '.tmp'),
    modalities: [IMAGES],
    concurrency: 2,
    limits: { maxUploadBytes: 2 ** 24, maxEntries: 100, maxRatio: 200 },
  });
  const store = new JobStore({ storage });
  const registry = new Registry({ storage });
  const versionOf = async (job: PendingJob) => (await store.result(job))?.output?.version;
  const names = ['a/1.png', 'a/2.png', 'b/3.png', 'b/4.png'];
  const archive = zip(await Promise.all(names.map(async (name) => ({ name, bytes: await image(name) }))));
  const dataset = await datasets.create({ tenant: TENANT, by: 'local', source: pieces(archive), name: 'cats' });
  for (const id of JOBS) {
    const created_at = '2026-01-01T00:00:00.000Z';
    const record = jobRecord({ id, tenant: TENANT, created_at, dataset: dataset.id });
    await store.create(record);
    const known = await store.result(record);
    if (!known) {
      await store.markStarted(record);
      const { examples, readContent } = await datasets.open(TENANT, dataset.id);
      for (const example of examples) await readContent(example);
      const { version } = await registry.publish(publication(id, dataset.id, attempt));
      await store.finish(record, jobResult('succeeded', { output: { version, accuracy: 1 }, attempt }));
    }
    await registry.settle({ tenant: TENANT, model: MODEL, job: id, succeeded: true });
    await store.settle(record, []);
    const version = (await versionOf(record))!;
    await registry
      .setAlias({ tenant: TENANT, model: MODEL, alias: 'production', version, by: 'local' })
      .catch(unless('version_not_found')); // an earlier attempt came as far as deleting it
  }
  await registry
    .deleteVersion(TENANT, MODEL, (await versionOf({ tenant: TENANT, id: JOBS[0]! }))!)
    .catch(unless('version_not_found'));
  await datasets.delete(TENANT, dataset.id);
}

function publication(job: string, dataset: string, attempt: number) {
  return {
    tenant: TENANT,
    job,
    model: MODEL,
    manifest: {
      model: MODEL,
      job,
      dataset,
      backbone: { id: 'rootstock_s', sha256: '0'.repeat(64), dimensions: 4 },
      head: 'linear' as const,
      labels: ['a', 'b'],
      accuracy: 1,
      description: null,
      digest: job,
    },
    files: new Map<string, Uint8Array | string>([
      ['labels.json', '["a","b"]'],
      ['head/weights.bin', Buffer.alloc(4096, job)],
      ['report.json', JSON.stringify({ job, attempt })],
    ]),
  };
}

function unless(code: string) {
  return (error: unknown) => {
    if (!(error instanceof AppError) || error.code !== code) throw error;
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [root, at, moment] = process.argv.slice(2) as [string, string, Moment];
  const inner = new FileStorage({ root });
  await life({ storage: new FaultyStorage({ inner, at: Number(at), fault: 'kill', moment }), root, attempt: 1 });
}
