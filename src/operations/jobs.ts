import { AppError } from '../errors.js';
import type { Job, JobEvent } from '../schemas/jobs.js';
import type { StoredJob } from '../jobs/job-store.js';
import { statusOf } from '../jobs/jobs.js';
import { type Caller, mayUse, type PageOf } from './caller.js';
import type { OperationsDependencies } from './dependencies.js';

/** Which jobs a list shows; undefined: all. */
export interface JobFilter {
  status?: Job['status'] | undefined;
  kind?: string | undefined;
  model?: string | undefined;
  dataset?: string | undefined;
}

/** A job, and whether the same request had made it before. */
export interface Submitted {
  job: Job;
  replayed: boolean;
}

interface OneJob {
  caller: Caller;
  id: string;
}

/** Jobs: looked at, followed, cancelled. What makes them is an operation of its own (train). */
export function jobOperations({ jobs, limits }: Pick<OperationsDependencies, 'jobs' | 'limits'>) {
  /** Open streams by tenant. */
  const streams = new Map<string, number>();

  /** @returns gives the place back; once */
  const takeStream = (tenant: string): (() => void) => {
    const open = streams.get(tenant) ?? 0;
    if (open >= limits.MAX_EVENT_STREAMS) {
      throw new AppError('overloaded', `${open} streams of events are open already (MAX_EVENT_STREAMS). Close some.`);
    }
    streams.set(tenant, open + 1);
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      const left = streams.get(tenant)! - 1;
      if (left > 0) streams.set(tenant, left);
      else streams.delete(tenant);
    };
  };

  /** A key that is for some models only sees the jobs of these, and those that it made itself. */
  const find = async ({ caller, id }: OneJob): Promise<Job> => {
    const job = await jobs.get(caller.tenant, id);
    if (mayUse(caller, job.model) || (job.model === null && job.by === caller.by)) return job;
    throw new AppError('job_not_found', `There is no job ${id}.`);
  };

  return {
    /** @throws AppError `job_not_found` */
    get: find,

    /** Newest first; of a status, a model, a data set, a kind where these are given. */
    list({ caller, limit, after, ...wanted }: { caller: Caller } & PageOf & JobFilter): Promise<{
      data: Job[];
      has_more: boolean;
    }> {
      const filtered = caller.models !== undefined || Object.values(wanted).some((value) => value !== undefined);
      const keep = filtered ? (job: StoredJob) => isWanted(job, caller, wanted) : undefined;
      return jobs.list(caller.tenant, { limit, after, keep });
    },

    /** Of all tenants, newest first: for whoever runs the service. */
    listAll({ limit, after, status }: { caller: Caller } & PageOf & Pick<JobFilter, 'status'>) {
      const keep = status === undefined ? undefined : (job: StoredJob) => statusOf(job) === status;
      return jobs.listAll({ limit, after, keep });
    },

    /** A waiting job ends at once, a running one within seconds. @throws AppError `job_not_found`, `job_finished` */
    async cancel({ caller, id }: OneJob): Promise<Job> {
      await find({ caller, id });
      return jobs.cancel(caller.tenant, id);
    },

    /** Events so far, those with a number above `after`. @throws AppError `job_not_found` */
    async events({ caller, id, after = 0 }: OneJob & { after?: number | undefined }): Promise<JobEvent[]> {
      await find({ caller, id });
      return jobs.events(caller.tenant, id, after);
    },

    /** Whether a job has ended, and nothing comes behind the event `after`. @throws AppError `job_not_found` */
    async hasEnded({ caller, id, after }: OneJob & { after: number }): Promise<boolean> {
      const { finished_at } = await find({ caller, id });
      return finished_at !== null && (await jobs.events(caller.tenant, id, after)).length === 0;
    },

    /**
     * Events as they come, until the job has ended or `signal` is aborted; undefined now and then, as a sign of life. The
     * stream counts as open until it was read to its end, left, or aborted.
     * @throws AppError `job_not_found`; `overloaded` where the tenant has as many streams open as it may
     */
    async follow({
      caller,
      id,
      after,
      signal,
    }: OneJob & { after: number; signal: AbortSignal }): Promise<AsyncIterable<JobEvent | undefined>> {
      await find({ caller, id });
      const giveBack = takeStream(caller.tenant);
      signal.addEventListener('abort', giveBack, { once: true });
      return endingWith(jobs.follow(caller.tenant, id, after, signal), giveBack);
    },
  };
}

async function* endingWith<T>(items: AsyncIterable<T>, end: () => void): AsyncGenerator<T> {
  try {
    yield* items;
  } finally {
    end();
  }
}

function isWanted(job: StoredJob, caller: Caller, { status, kind, model, dataset }: JobFilter): boolean {
  const { input, by } = job.record;
  const mine = mayUse(caller, input.model ?? null) || (input.model === undefined && by === caller.by);
  return (
    mine &&
    (status === undefined || statusOf(job) === status) &&
    (kind === undefined || job.record.kind === kind) &&
    (model === undefined || input.model === model) &&
    (dataset === undefined || (input.dataset ?? job.result?.output?.dataset) === dataset)
  );
}
