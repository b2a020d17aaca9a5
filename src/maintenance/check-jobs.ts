import { text } from 'node:stream/consumers';
import { Type } from '@sinclair/typebox';
import { JobStore } from '../jobs/job-store.js';
import { BackboneId, By, DatasetId, JobId } from '../schemas/common.js';
import { JobKind, JobStatus } from '../schemas/jobs.js';
import type { Storage } from '../storage/contract.js';
import type { Findings } from './finding.js';
import { ageOf, readChecked } from './stored-files.js';

const ID = new RegExp(JobId.pattern!);
/** What every kind has; what a kind needs is looked at by what runs it. */
const JobRecord = Type.Object({
  format: Type.Literal(1),
  kind: JobKind,
  id: JobId,
  tenant: Type.String(),
  by: By,
  created_at: Type.String({ format: 'date-time' }),
  input: Type.Object({}),
  needs: Type.Object({
    datasets: Type.Optional(Type.Array(DatasetId)),
    backbones: Type.Optional(Type.Array(BackboneId)),
  }),
});
const JobResult = Type.Object({ status: JobStatus, finished_at: Type.String({ format: 'date-time' }) });
const Settled = Type.Object({ record: JobRecord, result: JobResult });
const Binding = Type.Object({ job: Type.String(), fingerprint: Type.String() });

interface Context {
  storage: Storage;
  tenant: string;
  findings: Findings;
  olderThanMs: number;
}

/** Every job of a tenant: record and result against their schemas, and whether a job that has not ended will run. */
export async function checkJobs(context: Context): Promise<void> {
  const { storage, tenant, findings } = context;
  const home = `tenants/${tenant}/jobs`;
  for (const id of await storage.list(home)) {
    const folder = `${home}/${id}`;
    if (!ID.test(id)) {
      await findings.add('unknown_file', folder, 'This is no job. Nothing of Graft reads it.');
      continue;
    }
    findings.count('jobs');
    await checkJob(context, id, folder);
  }
  await checkIdempotencyKeys(context);
}

async function checkJob(context: Context, id: string, folder: string): Promise<void> {
  const { storage, tenant, findings, olderThanMs } = context;
  const deletedFor = await ageOf(storage, [`${folder}/deleted.json`]);
  if (deletedFor !== undefined) {
    if (deletedFor < olderThanMs) return;
    await findings.add('job_half_deleted', folder, `The deletion of job '${id}' did not end.`, {
      done: 'It was deleted to the end.',
      apply: async () => void (await new JobStore({ storage }).delete({ tenant, id })),
    });
    return;
  }
  const record = await readChecked(storage, `${folder}/job.json`, JobRecord);
  const result = await readChecked(storage, `${folder}/result.json`, JobResult);
  const faults: string[] = [];
  if ('missing' in record) {
    if ((await storage.list(folder)).length === 0) return; // it was deleted meanwhile
    faults.push('job.json is missing');
  }
  if ('fault' in record) faults.push(`job.json is not valid (${record.fault})`);
  if ('value' in record && (record.value.id !== id || record.value.tenant !== tenant)) {
    faults.push(`job.json is that of job '${record.value.id}' of '${record.value.tenant}'`);
  }
  if ('fault' in result) faults.push(`result.json is not valid (${result.fault})`);
  const settled = await readChecked(storage, `${folder}/settled.json`, Settled);
  if ('fault' in settled) faults.push(`settled.json is not valid (${settled.fault})`);
  const events = await storage.get(`${folder}/events.ndjson`);
  if (events && !isNdjson(await text(events.stream))) faults.push('events.ndjson cannot be read');
  if (faults.length > 0) {
    await findings.add('job_damaged', folder, `Job '${id}': ${faults.join('; ')}. Restore ${folder} from a backup.`);
    return;
  }
  if (!('value' in record) || !('missing' in result)) return;
  const mark = `pending/${id}.${tenant}`;
  // In this order: a job that ends writes its result before it loses its mark.
  if (!(await storage.head(mark)) && !(await storage.head(`${folder}/result.json`))) {
    await findings.add(
      'job_forgotten',
      folder,
      `Job '${id}' was accepted and has not ended, but its mark is missing from pending/, so no worker will look for it.`,
      {
        done: 'The mark was put back: a worker will run the job.',
        apply: async () => void (await storage.put(mark, '')),
      },
    );
  }
  for (const dataset of record.value.needs.datasets ?? []) {
    if (await storage.head(`tenants/${tenant}/datasets/${dataset}/manifest.json`)) continue;
    const message = `Job '${id}' has not ended and its data set ${dataset} is not there: it will fail. Restore the data set, or cancel the job.`;
    await findings.add('job_dataset_missing', folder, message);
  }
}

async function checkIdempotencyKeys({ storage, tenant, findings, olderThanMs }: Context): Promise<void> {
  const home = `tenants/${tenant}/idempotency`;
  for (const name of await storage.list(home)) {
    const key = `${home}/${name}`;
    const binding = await readChecked(storage, key, Binding);
    const job = 'value' in binding && binding.value.job;
    const made = job && (job.startsWith('ds_') ? `datasets/${job}/manifest.json` : `jobs/${job}/job.json`);
    if (made && (await storage.head(`tenants/${tenant}/${made}`))) continue;
    if (((await ageOf(storage, [key])) ?? 0) < olderThanMs) continue; // its job is about to be written
    await findings.add('idempotency_key_unused', key, 'What this Idempotency-Key made is not there.', {
      done: 'It was deleted: the key may be used again.',
      apply: () => storage.delete(key),
    });
  }
}

/** Archives that no job will read: the server died before it recorded one, or the worker before it had tidied up. */
export async function checkUploads({ storage, tenant, findings, olderThanMs }: Context): Promise<void> {
  const home = `tenants/${tenant}/uploads`;
  for (const id of await storage.list(home)) {
    const names = await storage.list(`${home}/${id}`);
    const age = await ageOf(
      storage,
      names.map((name) => `${home}/${id}/${name}`),
    );
    if (age === undefined || age < olderThanMs || (await isAwaited(storage, tenant, id))) continue;
    await findings.add('upload_unneeded', `${home}/${id}`, 'No job that has not ended will read this archive.', {
      done: 'It was deleted.',
      apply: () => storage.delete(`${home}/${id}`),
    });
  }
}

async function isAwaited(storage: Storage, tenant: string, into: string): Promise<boolean> {
  const store = new JobStore({ storage });
  for (const pending of await store.pending()) {
    if (pending.tenant !== tenant) continue;
    const record = await store.record(tenant, pending.id);
    if (record?.input.into === into) return true;
  }
  return false;
}

/** Marks of jobs that nobody knows. */
export async function checkMarks({ storage, findings, olderThanMs }: Omit<Context, 'tenant'>): Promise<void> {
  for (const name of await storage.list('pending')) {
    const [, id, tenant] = /^(job_[0-9a-z]{26})\.(.+)$/.exec(name) ?? [];
    const key = `pending/${name}`;
    if (id && tenant && (await storage.head(`tenants/${tenant}/jobs/${id}/job.json`))) continue;
    if (((await ageOf(storage, [key])) ?? 0) < olderThanMs) continue; // its record is about to be written
    await findings.add('mark_without_job', key, 'The job of this mark was never accepted, or was deleted.', {
      done: 'It was deleted.',
      apply: () => storage.delete(key),
    });
  }
}

function isNdjson(lines: string): boolean {
  try {
    for (const line of lines.split('\n')) if (line !== '') JSON.parse(line);
    return true;
  } catch {
    return false;
  }
}
