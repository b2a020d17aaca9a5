import { withDeadline } from '../redis/connect.js';
import type { JobResult, JobStore, PendingJob } from './job-store.js';
import { type LiveJobs, laterThanSeen, type NewEvent } from './live-jobs.js';

/** How a job ended, before the time of it is known. */
export type JobOutcome = Omit<JobResult, 'format' | 'finished_at'>;

export interface FinishJob {
  store: JobStore;
  live: LiveJobs;
  job: PendingJob;
  outcome: JobOutcome;
  /** Takes away what attempts left behind, once it is decided how the job ended; default: nothing. */
  cleanUp?: (result: JobResult) => Promise<void>;
}

/** Told by whoever will end the job: one writer at a time, or numbers of events might fall when Redis is wiped. */
export const CANCEL_REQUESTED: NewEvent = { type: 'cancel_requested', message: 'Asked to stop', data: {} };

/**
 * End a job, once: durable result, last event, what it left behind, events to storage, out of the pending ones. Whoever
 * dies on the way, the next one goes on: only the last step makes it forgotten.
 * @returns how it ended, which may have been decided before
 */
export async function finishJob({ store, live, job, outcome, cleanUp }: FinishJob): Promise<JobResult> {
  const proposed: JobResult = { format: 1, ...outcome, finished_at: new Date().toISOString() };
  const decided = await store.finish(job, proposed);
  const result = decided ? proposed : ((await store.result(job)) ?? proposed);
  const last = lastEvent(result);
  if (decided) await bounded(live.addEvent(job.id, last));
  await cleanUp?.(result);
  const events = (await bounded(live.events(job.id))) ?? [];
  // Redis was away or wiped, or whoever decided has not come to say so: the end is told all the same.
  if (events.every(({ type }) => type !== result.status))
    events.push({ seq: (events.at(-1)?.seq ?? laterThanSeen(job.id)) + 1, at: result.finished_at, ...last });
  await store.settle(job, events);
  await bounded(live.forgetLater(job.id));
  return result;
}

function lastEvent({ status, output, error }: JobResult): NewEvent {
  return { type: status, message: error ? error.message : sentence(status, output), data: { ...output, error } };
}

function sentence(status: JobResult['status'], output: JobResult['output']): string {
  if (status === 'succeeded') return output?.version === undefined ? 'The job is done' : 'The version is published';
  return status === 'failed' ? 'The job failed' : 'The job was cancelled';
}

/** Redis is a courtesy here: the result stands without it. */
async function bounded<T>(command: Promise<T>): Promise<T | undefined> {
  return withDeadline(command).catch(() => undefined);
}
