import { DelayedError, type Job as QueueJob, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { AppError, ERRORS } from '../errors.js';
import type { Log } from '../log.js';
import { REDIS_PREFIX } from '../redis/connect.js';
import type { JobOutput } from '../schemas/jobs.js';
import { CANCEL_REQUESTED, finishJob, type JobOutcome } from './finish-job.js';
import { type JobQueue, QUEUE_NAME } from './job-queue.js';
import { JobReporter } from './job-reporter.js';
import type { JobRecord, JobResult, JobStore, PendingJob } from './job-store.js';
import type { LiveJobs, NewEvent } from './live-jobs.js';
import { JobProcesses } from './run-job-process.js';

/** What a worker must know of a kind of jobs beside how its process runs. */
export interface JobKindRules {
  /** Takes away what attempts of a job that has ended left behind, and what late ones might still bring about. */
  cleanUp: (record: JobRecord, ended: { succeeded: boolean }) => Promise<void>;
  /** What a job has brought about for good, if it has: it counts, however the job ends after that. */
  finished: (record: JobRecord) => Promise<JobOutput | undefined>;
}

export interface JobWorkerOptions {
  store: JobStore;
  queue: JobQueue;
  live: LiveJobs;
  /** A connection of its own: a worker blocks it. */
  redis: Redis;
  log: Log;
  /** Module that runs one job. */
  entry: string;
  concurrency: number;
  /** Times a job is started again when its process dies. */
  attempts: number;
  memoryMb: number;
  timeoutMs: number;
  /** How long a process whose job is done waits for the tenant's next one; 0: it ends at once. */
  warmMs: number;
  /** Environment of the processes that run jobs; default: that of this process. */
  env?: NodeJS.ProcessEnv;
  /**
   * Called when native code ended a job's process (SIGSEGV, SIGBUS, SIGABRT), before the next attempt.
   * @returns what may have caused it, such as a full disk, as a sentence; undefined where nothing is known
   */
  onNativeCrash: () => Promise<string | undefined>;
  /** Every kind of jobs that this worker runs. */
  kinds: Record<string, JobKindRules>;
}

/**
 * A dead worker's job is taken over after LOCK + 2 · STALLED_CHECK at most: BullMQ looks twice. The lock is renewed every
 * LOCK / 2 by this process, which computes nothing itself.
 */
const LOCK_MS = 5000;
const STALLED_CHECK_MS = 1500;
const NATIVE_CRASHES = new Set<NodeJS.Signals | null>(['SIGSEGV', 'SIGBUS', 'SIGABRT']);
/** Starts of one job, whatever ended them; attempts after a crash of its own process are counted by BullMQ. */
const MAX_STARTS = 20;
const RECONCILE_MS = 10_000;
const CANCEL_CHECK_MS = 2000;
/** A pending mark without a record is younger than this while a request is being answered. */
const MARK_GRACE_MS = 60_000;

/** Takes jobs from the queue and runs each in its own process; puts back into the queue what fell out of it. */
export class JobWorker {
  readonly #options: JobWorkerOptions;
  readonly #worker: Worker<PendingJob>;
  readonly #processes: JobProcesses;
  readonly #stopping = new AbortController();
  readonly #reconciling: NodeJS.Timeout;
  readonly #marks = new Map<string, number>();
  #reconciled: Promise<void> | undefined;
  /** Whether the last look for promised jobs failed, so that an outage is told once. */
  #isFailing = false;

  constructor(options: JobWorkerOptions) {
    this.#options = options;
    const { redis, concurrency, log, entry, memoryMb, timeoutMs, warmMs, env } = options;
    this.#processes = new JobProcesses({ entry, memoryMb, timeoutMs, warmMs, ...(env && { env }) });
    // BullMQ passes the signal only to processors that declare three parameters.
    this.#worker = new Worker<PendingJob>(QUEUE_NAME, (job, _token, _signal) => this.#run(job), {
      connection: redis,
      prefix: REDIS_PREFIX,
      concurrency,
      lockDuration: LOCK_MS,
      stalledInterval: STALLED_CHECK_MS,
      maxStalledCount: MAX_STARTS,
      maxStartedAttempts: MAX_STARTS + 1,
    });
    this.#worker.on('error', (error) => log.debug({ err: error }, 'queue'));
    this.#reconciling = setInterval(() => void this.reconcile(), RECONCILE_MS);
  }

  async ready(): Promise<void> {
    await this.#worker.waitUntilReady();
    await this.reconcile();
  }

  /**
   * Put every job that was promised and has not ended into the queue, if it is not there: after Redis was wiped, or a
   * server died between recording and queueing. One run at a time. A failure is a warning, once per outage; when all went
   * well, the time is noted for `graft_jobs_reconciled_timestamp_seconds`.
   */
  reconcile(): Promise<void> {
    this.#reconciled ??= this.#tryToReconcile().finally(() => {
      this.#reconciled = undefined;
    });
    return this.#reconciled;
  }

  async #tryToReconcile(): Promise<void> {
    const { queue, log } = this.#options;
    try {
      await this.#reconcile();
      if (this.#stopping.signal.aborted) return;
      await queue.markReconciled();
      if (this.#isFailing) log.info('jobs that fell out of the queue are put back again');
      this.#isFailing = false;
    } catch (error) {
      if (this.#stopping.signal.aborted) return;
      if (this.#isFailing) log.debug({ err: error }, 'jobs that fell out of the queue cannot be put back yet');
      else log.warn({ err: error }, 'jobs that fell out of the queue cannot be put back; trying again until it works');
      this.#isFailing = true;
    }
  }

  /** @throws whatever stood in the way; one job that cannot be read does not hold up the others */
  async #reconcile(): Promise<void> {
    const { store, queue } = this.#options;
    let failure: unknown;
    // Asked first: a job that ends meanwhile is then still among the pending ones, and no longer in the queue.
    const queued = await queue.ids();
    for (const pending of await store.pending()) {
      if (this.#stopping.signal.aborted) return;
      if (queued.has(pending.id)) continue;
      try {
        await this.#putBack(pending);
      } catch (error) {
        if (error instanceof AppError && error.code === 'queue_unavailable') throw error;
        failure ??= new Error(`job ${pending.id} of ${pending.tenant}`, { cause: error });
      }
    }
    if (failure) throw failure;
  }

  async #putBack(pending: PendingJob): Promise<void> {
    const { store, queue, log } = this.#options;
    const record = await store.record(pending.tenant, pending.id);
    const result = await store.result(pending);
    if (record && result) {
      await this.#settle(record, result);
    } else if (record) {
      if (await queue.has(pending.id)) return;
      await queue.add(pending);
      log.warn({ job: pending.id }, 'the job was not in the queue; put it back');
    } else if (this.#isOldMark(pending.id)) {
      await store.dropMark(pending);
    }
  }

  /** Stop taking jobs. Those that run are stopped and go back to the queue. */
  async close(): Promise<void> {
    clearInterval(this.#reconciling);
    this.#stopping.abort();
    await this.#worker.close();
    this.#processes.close();
  }

  /** Decide how a job ended, unless that is decided, and put everything of it away. */
  async #settle(record: JobRecord, outcome: JobOutcome): Promise<JobResult> {
    const { store, live, kinds } = this.#options;
    return finishJob({
      store,
      live,
      job: record,
      outcome,
      cleanUp: async ({ status }) => kinds[record.kind]?.cleanUp(record, { succeeded: status === 'succeeded' }),
    });
  }

  async #run(queued: QueueJob<PendingJob>): Promise<void> {
    const { store, live } = this.#options;
    const { tenant, id } = queued.data;
    const record = await store.record(tenant, id);
    if (!record) return;
    const before = await store.result(record);
    if (before) return void (await this.#settle(record, before));
    const reporter = new JobReporter({ live, id, attempt: queued.attemptsStarted });
    try {
      await this.#attempt(queued, record, reporter);
    } finally {
      await reporter.end();
    }
  }

  async #attempt(queued: QueueJob<PendingJob>, record: JobRecord, reporter: JobReporter): Promise<void> {
    const { store, live, log, kinds, attempts } = this.#options;
    const { id, kind } = record;
    const attempt = queued.attemptsStarted;
    const tell = (event: NewEvent) => void reporter.addEvent(event).catch(() => undefined);
    const finish = async (end: Pick<JobResult, 'status'> & Partial<JobResult>) => {
      // What was brought about counts, whatever was asked after it: a version is never half there.
      const output = end.status === 'succeeded' ? undefined : await kinds[kind]?.finished(record);
      const outcome = output ? { status: 'succeeded' as const, output } : end;
      await reporter.end();
      const progress = outcome.status === 'succeeded' ? 1 : reporter.progress;
      const result = await this.#settle(record, { output: null, error: null, attempt, progress, ...outcome });
      log.info(
        { job: id, kind, status: result.status, version: result.output?.version, code: result.error?.code },
        'job ended',
      );
    };

    if (await store.isCancelRequested(record)) {
      tell(CANCEL_REQUESTED);
      return finish({ status: 'cancelled' });
    }
    if (!Object.hasOwn(kinds, kind)) return finish(unknownKind(kind));
    if (attempt > MAX_STARTS) return finish(crashed(`it was started ${MAX_STARTS} times and never ended`));
    await store.markStarted(record);
    const again = attempt > 1;
    tell({
      type: again ? 'restarted' : 'started',
      message: again ? `Started again (attempt ${attempt}); what was computed so far is kept` : 'Started',
      data: { attempt },
    });
    log.info({ job: id, kind, attempt, request_id: record.request_id }, 'job started');

    const cancelled = new AbortController();
    const cancel = () => {
      if (cancelled.signal.aborted) return;
      tell(CANCEL_REQUESTED);
      cancelled.abort();
    };
    const stopListening = live.onCancel(id, cancel);
    // Announcements may be lost; the durable wish is not.
    const watching = setInterval(async () => {
      if (await store.isCancelRequested(record).catch(() => false)) cancel();
    }, CANCEL_CHECK_MS);
    try {
      const outcome = await this.#processes.run({
        record,
        signal: AbortSignal.any([cancelled.signal, this.#stopping.signal]),
        onMessage: (message) => {
          if (message.type === 'progress') return reporter.setProgress(message.progress);
          const { type, message: sentence } = message.event;
          if (type === 'warning') log.warn({ job: id, kind }, sentence);
          tell(message.event);
        },
      });
      await reporter.end();
      switch (outcome.kind) {
        case 'done':
          return await finish({ status: 'succeeded', output: outcome.output });
        case 'failed':
          if (!ERRORS[outcome.code].retryable || queued.attemptsMade + 1 >= attempts) {
            const { code, message, details } = outcome;
            return await finish({ status: 'failed', error: { code, message, ...(details && { details }) } });
          }
          throw new Error(outcome.message);
        case 'timeout':
          return await finish({
            status: 'failed',
            error: {
              code: 'job_timeout',
              message: `The job ran longer than ${this.#options.timeoutMs / 1000} s (JOB_TIMEOUT_SECONDS) and was stopped.`,
            },
          });
        case 'crashed': {
          log.error({ job: id, attempt, reason: outcome.reason }, 'the process of a job died');
          const cause = NATIVE_CRASHES.has(outcome.signal) ? await this.#options.onNativeCrash() : undefined;
          if (cause !== undefined) log.error({ job: id }, cause);
          if (queued.attemptsMade + 1 >= attempts) return await finish(crashed(outcome.reason, cause));
          throw new Error(outcome.reason);
        }
        case 'stopped':
          if (cancelled.signal.aborted) return await finish({ status: 'cancelled' });
          // This worker is going away: without an end, the lock runs out and another worker takes over.
          await this.#handBack(queued);
      }
    } finally {
      clearInterval(watching);
      stopListening();
    }
  }

  /** Give the job to the next worker without waiting for the lock to run out. */
  async #handBack(queued: QueueJob<PendingJob>): Promise<never> {
    await queued.moveToDelayed(Date.now() + 1, queued.token);
    throw new DelayedError();
  }

  #isOldMark(id: string): boolean {
    const seen = this.#marks.get(id) ?? Date.now();
    this.#marks.set(id, seen);
    return Date.now() - seen > MARK_GRACE_MS;
  }
}

function unknownKind(kind: string): Pick<JobResult, 'status' | 'error'> {
  return {
    status: 'failed',
    error: {
      code: 'job_kind_unknown',
      message: `No worker here runs jobs of kind '${kind}'. Start workers of the same release as the servers.`,
    },
  };
}

function crashed(
  reason: string,
  advice = "The worker's log says more; smaller files or fewer of them may help.",
): Pick<JobResult, 'status' | 'error'> {
  return {
    status: 'failed',
    error: {
      code: 'job_crashed',
      message: `The process of the job died: ${reason}. ${advice}`,
    },
  };
}
