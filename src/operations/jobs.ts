import { AppError } from '../errors.js';
import type { Job, JobEvent } from '../schemas/jobs.js';
import type { Caller, PageOf } from './caller.js';
import type { OperationsDependencies } from './dependencies.js';

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

  return {
    /** @throws AppError `job_not_found` */
    get({ caller, id }: OneJob): Promise<Job> {
      return jobs.get(caller.tenant, id);
    },

    /** Newest first. */
    list({ caller, limit, after }: { caller: Caller } & PageOf): Promise<{ data: Job[]; has_more: boolean }> {
      return jobs.list(caller.tenant, { limit, ...(after !== undefined && { after }) });
    },

    /** A waiting job ends at once, a running one within seconds. @throws AppError `job_not_found`, `job_finished` */
    cancel({ caller, id }: OneJob): Promise<Job> {
      return jobs.cancel(caller.tenant, id);
    },

    /** Events so far, those with a number above `after`. @throws AppError `job_not_found` */
    events({ caller, id, after = 0 }: OneJob & { after?: number | undefined }): Promise<JobEvent[]> {
      return jobs.events(caller.tenant, id, after);
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
      await jobs.get(caller.tenant, id);
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
