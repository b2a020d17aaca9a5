import { ulid } from 'ulid';
import type { Datasets } from '../datasets/datasets.js';
import { AppError } from '../errors.js';
import type { JobStore } from '../jobs/job-store.js';
import type { Storage } from '../storage/contract.js';

export interface ExpireOptions {
  storage: Storage;
  datasets: Datasets;
  store: JobStore;
  /** Age at which a data set goes; 0: never. */
  datasetDays: number;
  /** Time after its end at which a job goes; 0: never. */
  jobDays: number;
  now?: number;
}

const DAY_MS = 24 * 3600 * 1000;
const PAGE = 100;

/** Delete what has reached its age. Several workers may do this at once. @returns how many went */
export async function expire(options: ExpireOptions): Promise<{ datasets: number; jobs: number }> {
  const { storage, datasetDays, jobDays, now = Date.now() } = options;
  const gone = { datasets: 0, jobs: 0 };
  for (const tenant of await storage.list('tenants')) {
    if (jobDays > 0) gone.jobs += await expireJobs(options, tenant, now - jobDays * DAY_MS);
    if (datasetDays > 0) gone.datasets += await expireDatasets(options, tenant, now - datasetDays * DAY_MS);
  }
  return gone;
}

async function expireJobs({ store }: ExpireOptions, tenant: string, before: number): Promise<number> {
  let gone = 0;
  // Ids begin with the time: what was made later cannot have ended earlier.
  for (const id of await store.list(tenant, { after: `job_${firstUlid(before)}` })) {
    const result = await store.result({ tenant, id });
    if (!result || Date.parse(result.finished_at) > before) continue;
    if (await store.delete({ tenant, id })) gone += 1;
  }
  return gone;
}

async function expireDatasets({ datasets, store }: ExpireOptions, tenant: string, before: number): Promise<number> {
  let gone = 0;
  let after = `ds_${firstUlid(before)}`;
  for (;;) {
    const { data, has_more } = await datasets.list(tenant, { limit: PAGE, after });
    for (const { id, created_at } of data) {
      if (Date.parse(created_at) > before || (await store.uses(tenant, id))) continue;
      await datasets.delete(tenant, id).then(
        () => {
          gone += 1;
        },
        (error: unknown) => {
          if (!(error instanceof AppError && error.code === 'dataset_not_found')) throw error; // another worker was faster
        },
      );
    }
    if (!has_more) return gone;
    after = data.at(-1)!.id;
  }
}

/** The first id of a millisecond, without its prefix; those of earlier ones sort before it. */
function firstUlid(ms: number): string {
  return `${ulid(Math.max(0, ms)).slice(0, 10)}${'0'.repeat(16)}`.toLowerCase();
}
