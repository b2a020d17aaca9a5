import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { AppError } from '../errors.js';
import { newId } from '../ids.js';
import type { Log } from '../log.js';
import { withDeadline } from '../redis/connect.js';
import type { Job, JobEvent, JobInput, JobProgress } from '../schemas/jobs.js';
import { CANCEL_REQUESTED, finishJob } from './finish-job.js';
import type { JobQueue } from './job-queue.js';
import {
  digestOfKey,
  type JobNeeds,
  type JobRecord,
  type JobStore,
  type JobsQuery,
  type StoredJob,
} from './job-store.js';
import type { LiveJobs, NewEvent } from './live-jobs.js';

export interface SubmitJob {
  /** What the job does. */
  kind: string;
  tenant: string;
  /** Who asks: what stands for an API key, or `local`. */
  by: string;
  /** What the kind needs to run it. */
  input: JobInput;
  /** Default: nothing. */
  needs?: JobNeeds;
  idempotencyKey?: string;
  /** What makes two requests with one key the same; default: the input. */
  same?: object;
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
  readonly #live: LiveJobs;
  readonly #log: Log;
  /** By tenant and id. A progress that was told never falls, also when Redis no longer knows it. */
  readonly #seen = new LRUCache<string, Told>({ max: MAX_SEEN });
  readonly #maxOpen: number;

  /** @param options maxOpen: most jobs of one tenant that have not ended; default: no limit */
  constructor(options: { store: JobStore; queue: JobQueue; live: LiveJobs; log: Log; maxOpen?: number }) {
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
    const { kind, tenant, by, input, needs = {}, idempotencyKey, requestId } = request;
    await this.#queue.check();
    const refuse = await this.#refusal(tenant);
    let id = newId('job');
    if (refuse && idempotencyKey === undefined) throw refuse;
    if (idempotencyKey !== undefined) {
      const fingerprint = fingerprintOf({ kind, input: request.same ?? input });
      const proposed = id;
      do {
        id = await this.#store.bindIdempotencyKey({ tenant, key: idempotencyKey, fingerprint, job: proposed });
        if (await this.#store.record(tenant, id)) return { job: await this.get(tenant, id), replayed: true };
        // A job that is being deleted loses its key before its record: then this request is a new one.
      } while (id !== proposed && (await this.#store.isBeingDeleted({ tenant, id })));
      if (refuse) throw refuse;
    }
    const record: JobRecord = {
      format: 1,
      kind,
      id,
      tenant,
      by,
      created_at: new Date().toISOString(),
      input,
      needs,
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

  /**
   * Bind an Idempotency-Key to what a request makes that is no job.
   * @returns `id`, or that of the same request before. @throws AppError `idempotency_key_reused`
   */
  async bindIdempotencyKey(options: { tenant: string; key: string; request: object; id: string }): Promise<string> {
    const { tenant, key, request, id } = options;
    return this.#store.bindIdempotencyKey({ tenant, key, fingerprint: fingerprintOf(request), job: id });
  }

  /** Make a key free whose data set is gone. */
  async releaseIdempotencyKey(tenant: string, key: string): Promise<void> {
    await this.#store.releaseIdempotencyKey(tenant, key);
  }

  /** @throws AppError `job_not_found` */
  async get(tenant: string, id: string): Promise<Job> {
    return this.#view(await this.#store.get(tenant, id));
  }

  /** Newest first. */
  async list(tenant: string, options: JobsQuery): Promise<{ data: Job[]; has_more: boolean }> {
    const { data, has_more } = await this.#store.page(tenant, options);
    return { data: await Promise.all(data.map((job) => this.#view(job))), has_more };
  }

  /** Jobs of all tenants, newest first, each with its tenant. */
  async listAll(options: JobsQuery): Promise<{ data: (Job & { tenant: string })[]; has_more: boolean }> {
    const { data, has_more } = await this.#store.pageOfAll(options);
    const views = data.map(async (job) => ({ ...(await this.#view(job)), tenant: job.record.tenant }));
    return { data: await Promise.all(views), has_more };
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
        await finishJob({
          store: this.#store,
          live: this.#live,
          job: record,
          outcome: { status: 'cancelled', output: null, error: null, attempt: 0, progress: 0 },
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

  /** A job that has not ended, of this kind and on this backbone; undefined: there is none. */
  async findOpen(
    tenant: string,
    { kind, ...input }: { kind: string; backbone?: string; dataset?: string },
  ): Promise<Job | undefined> {
    const isSo = (record: JobRecord) =>
      record.kind === kind && Object.entries(input).every(([field, value]) => record.input[field] === value);
    const found = await this.#store.findOpen(tenant, isSo);
    return found && this.get(tenant, found.id);
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
    const { id, kind, by, input } = record;
    // What has no place of its own in a public job is the output of its kind.
    const { dataset, version, accuracy, accuracy_interval, baseline_accuracy, ...output } = result?.output ?? {};
    const status = statusOf({ result, started_at });
    const live = status === 'queued' ? undefined : await this.#progress(record);
    const position = status === 'queued' ? await this.#queue.position(id).catch(() => null) : null;
    return {
      id,
      kind,
      by,
      status,
      phase: status === 'running' ? (live?.phase ?? null) : null,
      progress: status === 'succeeded' ? 1 : (rounded(Math.max(result?.progress ?? 0, live?.progress ?? 0), 4) ?? 0),
      examples: live ? examplesOf(live) : null,
      seconds_left: status === 'running' ? rounded(live?.seconds_left, 1) : null,
      queue_position: position,
      metrics: live?.metrics ?? null,
      dataset: input.dataset ?? dataset ?? null,
      model: input.model ?? null,
      version: version ?? null,
      backbone: input.backbone ?? null,
      settings: input.settings ?? null,
      output: Object.keys(output).length > 0 ? output : null,
      cancel_requested,
      attempt: result?.attempt ?? live?.attempt ?? 0,
      error: result?.error ?? null,
      accuracy: accuracy ?? null,
      accuracy_interval: accuracy_interval ?? null,
      baseline_accuracy: baseline_accuracy ?? null,
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

/** What a job is at, as its files say. */
export function statusOf({ result, started_at }: Pick<StoredJob, 'result' | 'started_at'>): Job['status'] {
  return result?.status ?? (started_at === null ? 'queued' : 'running');
}

/** null where the kind of the job passes no examples. */
function examplesOf(progress: JobProgress): Job['examples'] {
  const { examples_done: done, examples_total: total } = progress;
  if (done === undefined || total === undefined) return null;
  const { examples_cached: cached = 0, examples_per_second: perSecond } = progress;
  return { done, total, cached, per_second: rounded(perSecond, 1) };
}

function fingerprintOf(request: object): string {
  return createHash('sha256').update(canonical(request)).digest('hex');
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
