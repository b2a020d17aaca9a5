/**
 * jobs/ keeps what a 202 promises, whatever the kind of the job: a durable record, a place in the queue, a run in a process
 * of its own. What a kind does lies elsewhere (training/ for `train`); bin/ says which function runs it and what tidies up.
 *
 * This file: the durable part. Every file is written once, so that no two processes can disagree:
 *
 *   jobs/<id>/job.json       what was asked; written before the reply. The job exists exactly when this does
 *   jobs/<id>/started.json   when it was first started
 *   jobs/<id>/cancel.json    that somebody wants it to stop
 *   jobs/<id>/result.json    how it ended; whoever writes it first decides
 *   jobs/<id>/events.ndjson  its events, once it has ended
 *   jobs/<id>/settled.json   all of the above but the events, once nothing more will happen: what a list reads
 *   jobs/<id>/deleted.json   it is being deleted; the first to come and the last to go
 *   pending/<id>.<tenant>    it has not ended: what the reconciler looks at
 *   idempotency/<sha256>     which job or data set an Idempotency-Key made
 *
 * The status follows from which of them are there; Redis is never asked.
 */
import { createHash } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { LRUCache } from 'lru-cache';
import { AppError } from '../errors.js';
import { JobId } from '../schemas/common.js';
import type { JobError, JobEvent, JobInput, JobOutput, JobStatus } from '../schemas/jobs.js';
import { readJson, type Storage, writeJson } from '../storage/contract.js';
import { firstOf } from '../storage/first-of.js';

/** What was asked: the same for every kind, but for `input`. */
export interface JobRecord {
  format: 1;
  kind: string;
  id: string;
  tenant: string;
  /** Who asked: what stands for an API key, or `local`. */
  by: string;
  created_at: string;
  /** What the kind needs to run it. */
  input: JobInput;
  needs: JobNeeds;
  /** Of the HTTP request that made it; for logs. */
  request_id?: string;
  /** SHA-256 of its Idempotency-Key, if it had one. */
  idempotency?: string;
}

/** Ids of what must stay until a job has ended. */
export interface JobNeeds {
  datasets?: string[];
  backbones?: string[];
}

export interface JobResult {
  format: 1;
  status: Extract<JobStatus, 'succeeded' | 'failed' | 'cancelled'>;
  /** What it brought; null unless it succeeded. */
  output: JobOutput | null;
  error: JobError | null;
  finished_at: string;
  attempt: number;
  /** How far it had come, from 0 to 1. */
  progress: number;
}

export interface StoredJob {
  record: JobRecord;
  started_at: string | null;
  cancel_requested: boolean;
  result: JobResult | undefined;
}

/** Jobs of a list. */
export interface JobsQuery {
  limit: number;
  after?: string | undefined;
  /** Only jobs of which this says yes; the others are passed over. */
  keep?: ((job: StoredJob) => boolean) | undefined;
}

export interface PendingJob {
  tenant: string;
  id: string;
}

const JOB_ID = new RegExp(JobId.pattern!);
/** Files that were read and will not change; a record takes about 1 KB. */
const MAX_REMEMBERED = 5000;

export class JobStore {
  readonly #storage: Storage;
  /** Records, and when jobs were started, by key. */
  readonly #remembered = new LRUCache<string, object>({ max: MAX_REMEMBERED });

  constructor(options: { storage: Storage }) {
    this.#storage = options.storage;
  }

  /** Write the record. When this resolves, the job will run, whatever dies. @returns false if it was there already */
  async create(record: JobRecord): Promise<boolean> {
    await this.#storage.put(`pending/${record.id}.${record.tenant}`, '');
    const { created } = await writeJson(this.#storage, `${keyOf(record)}/job.json`, record, { ifAbsent: true });
    return created;
  }

  /** @throws AppError `job_not_found` */
  async get(tenant: string, id: string): Promise<StoredJob> {
    const job = JOB_ID.test(id) ? await this.#find({ tenant, id }) : undefined;
    if (job) return job;
    throw new AppError('job_not_found', `There is no job '${id}'.`, { details: { job: id } });
  }

  async record(tenant: string, id: string): Promise<JobRecord | undefined> {
    if (!JOB_ID.test(id)) return undefined;
    return readJson<JobRecord>(this.#storage, `${keyOf({ tenant, id })}/job.json`);
  }

  /** Ids of a tenant's jobs, newest first; `after`: older than this one. */
  async list(tenant: string, options: { after?: string } = {}): Promise<string[]> {
    const ids = (await this.#storage.list(`tenants/${tenant}/jobs`)).reverse();
    return options.after === undefined ? ids : ids.filter((id) => id < options.after!);
  }

  /**
   * Jobs of a tenant, newest first; older than `after`. One call a job: one that was settled is one file; of another its
   * folder is listed, and what was read before is not read again.
   */
  async page(tenant: string, { limit, after, keep }: JobsQuery): Promise<{ data: StoredJob[]; has_more: boolean }> {
    const ids = await this.list(tenant, after === undefined ? {} : { after });
    // In this order: a job that is listed and no longer pending was settled.
    const pending = new Set((await this.pending()).filter((job) => job.tenant === tenant).map(({ id }) => id));
    const read = async (id: string) => {
      if (!JOB_ID.test(id)) return undefined;
      const settled = pending.has(id) ? undefined : await this.#settled({ tenant, id });
      const job = settled ?? (await this.#find({ tenant, id }));
      return job && (keep?.(job) ?? true) ? job : undefined;
    };
    // Whether one more is kept is only known once it was read.
    const jobs = keep
      ? await firstOf(ids, limit + 1, read)
      : (await Promise.all(ids.slice(0, limit).map(read))).filter((job) => job !== undefined);
    return { data: jobs.slice(0, limit), has_more: keep ? jobs.length > limit : ids.length > limit };
  }

  /** Jobs of all tenants, newest first: ids begin with the time. One call a tenant and one a job. */
  async pageOfAll({ limit, after, keep }: JobsQuery): Promise<{ data: StoredJob[]; has_more: boolean }> {
    const tenants = await this.#storage.list('tenants');
    const jobs = await Promise.all(
      tenants.map(async (tenant) =>
        (await this.list(tenant, after === undefined ? {} : { after })).map((id) => ({ id, tenant })),
      ),
    );
    const newestFirst = jobs.flat().sort((a, b) => (a.id < b.id ? 1 : -1));
    const found = await firstOf(newestFirst, limit + 1, async (job) => {
      const stored = JOB_ID.test(job.id) ? ((await this.#settled(job)) ?? (await this.#find(job))) : undefined;
      return stored && (keep?.(stored) ?? true) ? stored : undefined;
    });
    return { data: found.slice(0, limit), has_more: found.length > limit };
  }

  async markStarted(job: PendingJob): Promise<void> {
    await writeJson(this.#storage, `${keyOf(job)}/started.json`, { at: new Date().toISOString() }, { ifAbsent: true });
  }

  async requestCancel(job: PendingJob): Promise<void> {
    await writeJson(this.#storage, `${keyOf(job)}/cancel.json`, { at: new Date().toISOString() }, { ifAbsent: true });
  }

  async isCancelRequested(job: PendingJob): Promise<boolean> {
    return (await this.#storage.head(`${keyOf(job)}/cancel.json`)) !== undefined;
  }

  async result(job: PendingJob): Promise<JobResult | undefined> {
    return readJson<JobResult>(this.#storage, `${keyOf(job)}/result.json`);
  }

  /** Say how a job ended. @returns whether this call decided it; false: it had ended already */
  async finish(job: PendingJob, result: JobResult): Promise<boolean> {
    const { created } = await writeJson(this.#storage, `${keyOf(job)}/result.json`, result, { ifAbsent: true });
    return created;
  }

  /** The last step of a job: nothing more will happen to it. */
  async settle(job: PendingJob, events: JobEvent[]): Promise<void> {
    const lines = events.map((event) => `${JSON.stringify(event)}\n`).join('');
    await this.#storage.put(`${keyOf(job)}/events.ndjson`, lines, { ifAbsent: true });
    const stored = await this.#find(job);
    if (stored?.result) await writeJson(this.#storage, `${keyOf(job)}/settled.json`, stored, { ifAbsent: true });
    await this.#storage.delete(`pending/${job.id}.${job.tenant}`);
  }

  async events(job: PendingJob): Promise<JobEvent[] | undefined> {
    const object = await this.#storage.get(`${keyOf(job)}/events.ndjson`);
    if (!object) return undefined;
    const lines = (await text(object.stream)).split('\n').filter((line) => line !== '');
    return lines.map((line) => JSON.parse(line) as JobEvent);
  }

  /** Jobs that have not been settled, oldest first. */
  async pending(): Promise<PendingJob[]> {
    return (await this.#storage.list('pending')).map((name) => {
      const dot = name.indexOf('.');
      return { id: name.slice(0, dot), tenant: name.slice(dot + 1) };
    });
  }

  /** Whether a job that has not ended needs this data set. */
  async uses(tenant: string, dataset: string): Promise<boolean> {
    return (await this.findOpen(tenant, ({ needs }) => needs.datasets?.includes(dataset) ?? false)) !== undefined;
  }

  /** A job that has not ended and is so; undefined: there is none. */
  async findOpen(tenant: string, isSo: (record: JobRecord) => boolean): Promise<JobRecord | undefined> {
    for (const pending of await this.pending()) {
      if (pending.tenant !== tenant) continue;
      const record = await this.record(tenant, pending.id);
      if (record && isSo(record) && !(await this.result(record))) return record;
    }
    return undefined;
  }

  /**
   * Delete a job that has ended, with its Idempotency-Key; one whose deletion was broken off is deleted to the end.
   *  1. A mark says that it is being deleted, until nothing of it is left: nobody uses its id meanwhile.
   *  2. Its Idempotency-Key goes: only the record knows it.
   *  3. The record goes, and with it the job; lists read a file of their own, so that one goes before it.
   *  4. The rest goes, and the mark last.
   * @returns false: it had not ended, or was not settled yet
   */
  async delete(job: PendingJob): Promise<boolean> {
    const folder = keyOf(job);
    if (!(await this.isBeingDeleted(job))) {
      if (!(await this.result(job)) || (await this.#storage.head(`pending/${job.id}.${job.tenant}`))) return false;
      await writeJson(this.#storage, `${folder}/deleted.json`, { at: new Date().toISOString() });
    }
    const binding = (await this.record(job.tenant, job.id))?.idempotency;
    if (binding !== undefined) await this.#storage.delete(idempotencyKeyOf(job.tenant, binding));
    await this.#storage.delete(`${folder}/settled.json`);
    await this.#storage.delete(`${folder}/job.json`);
    for (const name of await this.#storage.list(folder)) {
      if (name !== 'deleted.json') await this.#storage.delete(`${folder}/${name}`);
    }
    await this.#storage.delete(folder);
    return true;
  }

  async isBeingDeleted(job: PendingJob): Promise<boolean> {
    return (await this.#storage.head(`${keyOf(job)}/deleted.json`)) !== undefined;
  }

  /** A pending mark without a record: the process died before it promised anything. */
  async dropMark(job: PendingJob): Promise<void> {
    await this.#storage.delete(`pending/${job.id}.${job.tenant}`);
  }

  async releaseIdempotencyKey(tenant: string, key: string): Promise<void> {
    await this.#storage.delete(idempotencyKeyOf(tenant, digestOfKey(key)));
  }

  /**
   * Bind an Idempotency-Key to the id of a job, or of a data set.
   * @returns the id that holds: `job`, or that of an earlier request with the same key
   * @throws AppError `idempotency_key_reused` when the earlier request asked for something else
   */
  async bindIdempotencyKey(options: {
    tenant: string;
    key: string;
    fingerprint: string;
    job: string;
  }): Promise<string> {
    const { tenant, key, fingerprint, job } = options;
    const path = idempotencyKeyOf(tenant, digestOfKey(key));
    for (;;) {
      const { created } = await writeJson(this.#storage, path, { job, fingerprint }, { ifAbsent: true });
      if (created) return job;
      const earlier = await readJson<{ job: string; fingerprint: string }>(this.#storage, path);
      if (!earlier) continue; // it was deleted in this moment, with its job
      if (earlier.fingerprint === fingerprint) return earlier.job;
      throw new AppError(
        'idempotency_key_reused',
        'This Idempotency-Key was used for a request with other settings or examples. Use a new key for a new request.',
        { details: { [earlier.job.startsWith('ds_') ? 'dataset' : 'job']: earlier.job } },
      );
    }
  }

  /** One listing tells which files there are. What it names and is gone was deleted meanwhile, and so was the job. */
  async #find(job: PendingJob): Promise<StoredJob | undefined> {
    const folder = keyOf(job);
    const names = await this.#storage.list(folder);
    if (!names.includes('job.json')) return undefined;
    const [record, started, result] = await Promise.all([
      this.#readOnce<JobRecord>(`${folder}/job.json`),
      names.includes('started.json') ? this.#readOnce<{ at: string }>(`${folder}/started.json`) : null,
      names.includes('result.json') ? readJson<JobResult>(this.#storage, `${folder}/result.json`) : null,
    ]);
    if (record === undefined || started === undefined || result === undefined) return undefined;
    const started_at = started?.at ?? null;
    return { record, started_at, cancel_requested: names.includes('cancel.json'), result: result ?? undefined };
  }

  async #settled(job: PendingJob): Promise<StoredJob | undefined> {
    return readJson<StoredJob>(this.#storage, `${keyOf(job)}/settled.json`);
  }

  async #readOnce<T extends object>(key: string): Promise<T | undefined> {
    const known = this.#remembered.get(key);
    if (known) return known as T;
    const read = await readJson<T>(this.#storage, key);
    if (read) this.#remembered.set(key, read);
    return read;
  }
}

/** The name under which an Idempotency-Key is kept. */
export function digestOfKey(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}

function idempotencyKeyOf(tenant: string, digest: string): string {
  return `tenants/${tenant}/idempotency/${digest}`;
}

function keyOf({ tenant, id }: PendingJob): string {
  return `tenants/${tenant}/jobs/${id}`;
}
