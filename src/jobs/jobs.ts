import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { AppError } from '../errors.js';
import { newId } from '../ids.js';
import type { Log } from '../log.js';
import { withDeadline } from '../redis/connect.js';
import type { Job, JobEvent, JobProgress, JobSettings } from '../schemas/jobs.js';
import type { JobQueue } from './job-queue.js';
import {
  digestOfKey,
  type JobRecord,
  type JobResult,
  type JobStore,
  type PendingJob,
  type StoredJob,
} from './job-store.js';
import { type LiveState, laterThanSeen, type NewEvent } from './live-jobs.js';

export interface SubmitJob {
  tenant: string;
  dataset: string;
  settings: JobSettings & { backbone: string };
  idempotencyKey?: string;
  /** What else distinguishes requests with the same key, such as the digest of an uploaded archive. */
  content?: string;
  /** Of the HTTP request; kept with the job, so that lines of its worker can be traced back. */
  requestId?: string;
}

/** Live progress is worth a short wait only. */
const LIVE_DEADLINE_MS = 500;
/** Running jobs whose last progress is kept, for when Redis is away or wiped. */
const MAX_SEEN = 10_000;

type Told = JobProgress & { attempt: number };

/** Nothing is told of a job after one of these. */
const ENDS: ReadonlySet<JobEvent['type']> = new Set(['succeeded', 'failed', 'cancelled']);

/** Jobs as the API sees them: submit, look, follow, cancel. */
export class Jobs {
  readonly #store: JobStore;
  readonly #queue: JobQueue;
  readonly #live: LiveState;
  readonly #log: Log;
  /** By tenant and id. A progress that was told never falls, also when Redis no longer knows it. */
  readonly #seen = new LRUCache<string, Told>({ max: MAX_SEEN });
  readonly #maxOpen: number;

  /** @param options maxOpen: most jobs of one tenant that have not ended; default: no limit */
  constructor(options: { store: JobStore; queue: JobQueue; live: LiveState; log: Log; maxOpen?: number }) {
    this.#store = options.store;
    this.#queue = options.queue;
    this.#live = options.live;
    this.#log = options.log;
    this.#maxOpen = options.maxOpen ?? Number.POSITIVE_INFINITY;
  }

  /**
   * Take a job.
   *  1. Redis must answer, or nothing is stored (503).
   *  2. The Idempotency-Key is bound; the same request again answers with the same job.
   *  3. The record is written: from here on the job is promised.
   *  4. It is put into the queue. If that fails now, the reconciler does it later.
   * @throws AppError `queue_unavailable`, `idempotency_key_reused`, `too_many_jobs`
   */
  async submit(request: SubmitJob): Promise<{ job: Job; replayed: boolean }> {
    const { tenant, dataset, settings, idempotencyKey, requestId } = request;
    await this.#queue.check();
    const refuse = await this.#refusal(tenant);
    let id = newId('job');
    if (refuse && idempotencyKey === undefined) throw refuse;
    if (idempotencyKey !== undefined) {
      const fingerprint = createHash('sha256')
        .update(canonical({ dataset: request.content ?? dataset, settings }))
        .digest('hex');
      id = await this.#store.bindIdempotencyKey({ tenant, key: idempotencyKey, fingerprint, job: id });
      if (await this.#store.record(tenant, id)) return { job: await this.get(tenant, id), replayed: true };
      if (refuse) throw refuse;
    }
    const record: JobRecord = {
      id,
      tenant,
      created_at: new Date().toISOString(),
      dataset,
      settings,
      ...(requestId !== undefined && { request_id: requestId }),
      ...(idempotencyKey !== undefined && { idempotency: digestOfKey(idempotencyKey) }),
    };
    // A request with the same key may have come at the same moment.
    if (!(await this.#store.create(record))) return { job: await this.get(tenant, id), replayed: true };
    try {
      await this.#addEvent(id, { type: 'created', message: 'The job is queued', data: {} });
      await this.#queue.add({ id, tenant });
    } catch (error) {
      this.#log.warn(
        { err: error, job: id, request_id: requestId },
        'the job is recorded but not queued; the reconciler will queue it',
      );
    }
    return { job: await this.get(tenant, id), replayed: false };
  }

  /** @throws AppError `job_not_found` */
  async get(tenant: string, id: string): Promise<Job> {
    return this.#view(await this.#store.get(tenant, id));
  }

  /** Newest first. */
  async list(tenant: string, options: { limit: number; after?: string }): Promise<{ data: Job[]; has_more: boolean }> {
    const ids = await this.#store.list(tenant, options);
    const page = ids.slice(0, options.limit);
    const jobs = await Promise.all(page.map((id) => this.get(tenant, id).catch(nullIfMissing)));
    return { data: jobs.filter((job) => job !== null), has_more: ids.length > page.length };
  }

  /**
   * Ask a job to stop. One that waits ends at once; one that runs ends when its process is gone.
   * @throws AppError `job_not_found`, `job_finished`
   */
  async cancel(tenant: string, id: string): Promise<Job> {
    const { record, result, started_at } = await this.#store.get(tenant, id);
    if (result) {
      if (result.status === 'cancelled') return this.get(tenant, id);
      throw new AppError('job_finished', `Job '${id}' has already ${result.status}; there is nothing to cancel.`, {
        details: { job: id, job_status: result.status },
      });
    }
    await this.#store.requestCancel(record);
    try {
      // One that was started before and waits for its next attempt may have published: its worker looks.
      if (started_at === null && (await this.#queue.remove(id))) {
        await this.#addEvent(id, CANCEL_REQUESTED);
        await finishJob(this.#store, this.#live, record, {
          status: 'cancelled',
          version: null,
          accuracy: null,
          error: null,
          attempt: 0,
          progress: 0,
        });
      } else {
        await this.#live.announceCancel(id);
      }
    } catch (error) {
      this.#log.warn({ err: error, job: id }, 'the wish to cancel is recorded; the worker will find it');
    }
    return this.get(tenant, id);
  }

  /** Events so far. @throws AppError `job_not_found` */
  async events(tenant: string, id: string, after = 0): Promise<JobEvent[]> {
    const { record } = await this.#store.get(tenant, id);
    const settled = await this.#store.events(record);
    if (settled) return settled.filter(({ seq }) => seq > after);
    return this.#live.events(id, after).catch(() => []);
  }

  /** Events after `after` as they come, until the job has ended. Yields undefined now and then, as a sign of life. */
  async *follow(tenant: string, id: string, after: number, signal: AbortSignal): AsyncGenerator<JobEvent | undefined> {
    let seen = after;
    while (!signal.aborted) {
      const { result } = await this.#store.get(tenant, id);
      const events = await this.events(tenant, id, seen);
      for (const event of events) {
        seen = Math.max(seen, event.seq);
        yield event;
        if (ENDS.has(event.type)) return; // also where the result came between the two looks above
      }
      if (result) {
        // The result is written before its event: once more, then it is complete.
        await this.#live.nextEvent(id, 500, signal);
        const rest = await this.events(tenant, id, seen);
        // Where Redis was wiped and nobody could tell the events again, the last one may have a number seen before.
        yield* rest.length > 0 ? rest : (await this.events(tenant, id)).slice(-1);
        return;
      }
      if (events.length === 0) yield undefined;
      await this.#live.nextEvent(id, 1000, signal);
    }
  }

  /** Whether a job that has not ended needs this data set. */
  async uses(tenant: string, dataset: string): Promise<boolean> {
    return this.#store.uses(tenant, dataset);
  }

  /** Why a tenant may not submit another job now; undefined: it may. */
  async #refusal(tenant: string): Promise<AppError | undefined> {
    if (this.#maxOpen === Number.POSITIVE_INFINITY) return undefined;
    const open = (await this.#store.pending()).filter((pending) => pending.tenant === tenant).length;
    if (open < this.#maxOpen) return undefined;
    return new AppError(
      'too_many_jobs',
      `${open} jobs have not ended; at most ${this.#maxOpen} (MAX_OPEN_JOBS). Wait for one to end, or cancel one.`,
      { details: { open, most: this.#maxOpen, retry_after: 10 } },
    );
  }

  async #view({ record, result, started_at, cancel_requested }: StoredJob): Promise<Job> {
    const { settings, id } = record;
    const { model, backbone, ...rest } = settings;
    const status = result?.status ?? (started_at === null ? 'queued' : 'running');
    const live = status === 'queued' ? undefined : await this.#progress(record);
    const position = status === 'queued' ? await this.#queue.position(id).catch(() => null) : null;
    return {
      id,
      status,
      phase: status === 'running' ? (live?.phase ?? null) : null,
      progress: status === 'succeeded' ? 1 : (rounded(Math.max(result?.progress ?? 0, live?.progress ?? 0), 4) ?? 0),
      examples: live
        ? {
            done: live.examples_done,
            total: live.examples_total,
            cached: live.examples_cached,
            per_second: rounded(live.examples_per_second, 1),
          }
        : null,
      seconds_left: status === 'running' ? rounded(live?.seconds_left, 1) : null,
      queue_position: position,
      metrics: live?.metrics ?? null,
      dataset: record.dataset,
      model,
      version: result?.version ?? null,
      backbone,
      settings: rest,
      cancel_requested,
      attempt: result?.attempt ?? live?.attempt ?? 0,
      error: result?.error ?? null,
      accuracy: result?.accuracy ?? null,
      created_at: record.created_at,
      started_at,
      finished_at: result?.finished_at ?? null,
    };
  }

  /** What Redis says, or what it said last; never less than that. */
  async #progress({ tenant, id }: JobRecord): Promise<Told | undefined> {
    const key = `${tenant}/${id}`;
    const told = await withDeadline(this.#live.progress(id), LIVE_DEADLINE_MS).catch(() => undefined);
    const before = this.#seen.get(key);
    if (!told) return before;
    const now = { ...told, progress: Math.max(told.progress, before?.progress ?? 0) };
    this.#seen.set(key, now);
    return now;
  }

  async #addEvent(id: string, event: NewEvent): Promise<void> {
    await withDeadline(this.#live.addEvent(id, event));
  }
}

/** Told by whoever will end the job: one writer at a time, or numbers of events might fall when Redis is wiped. */
export const CANCEL_REQUESTED: NewEvent = { type: 'cancel_requested', message: 'Asked to stop', data: {} };

const SENTENCES = {
  succeeded: 'The version is published',
  failed: 'The job failed',
  cancelled: 'The job was cancelled',
};

/**
 * End a job, once: durable result, last event, what it left behind, events to storage, out of the pending ones. Whoever
 * dies on the way, the next one goes on: only the last step makes it forgotten.
 */
export async function finishJob(
  store: JobStore,
  live: LiveState,
  job: PendingJob,
  outcome: Omit<JobResult, 'finished_at'>,
  cleanUp: (result: JobResult) => Promise<void> = async () => undefined,
): Promise<JobResult> {
  const proposed = { ...outcome, finished_at: new Date().toISOString() };
  const decided = await store.finish(job, proposed);
  const result = decided ? proposed : ((await store.result(job)) ?? proposed);
  const { status, error, version, accuracy } = result;
  const last: NewEvent = {
    type: status,
    message: error ? error.message : SENTENCES[status],
    data: { version, accuracy, error },
  };
  if (decided) await bounded(live.addEvent(job.id, last));
  await cleanUp(result);
  const events = (await bounded(live.events(job.id))) ?? [];
  // Redis was away or wiped, or whoever decided has not come to say so: the end is told all the same.
  if (events.every(({ type }) => type !== status))
    events.push({ seq: (events.at(-1)?.seq ?? laterThanSeen(job.id)) + 1, at: result.finished_at, ...last });
  await store.settle(job, events);
  await bounded(live.forgetLater(job.id));
  return result;
}

/** Redis is a courtesy here: the result stands without it. */
async function bounded<T>(command: Promise<T>): Promise<T | undefined> {
  return withDeadline(command).catch(() => undefined);
}

function nullIfMissing(error: unknown): null {
  if (error instanceof AppError && error.code === 'job_not_found') return null;
  throw error;
}

/** JSON with sorted keys: equal values, equal text. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

function rounded(value: number | null | undefined, digits: number): number | null {
  return value === null || value === undefined ? null : Number(value.toFixed(digits));
}
