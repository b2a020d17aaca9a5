import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { REDIS_PREFIX, withDeadline } from '../redis/connect.js';
import type { PendingJob } from './job-store.js';

export const QUEUE_NAME = 'jobs';
/** When a worker last saw to it that every promised job is in the queue. */
const RECONCILED_KEY = `${REDIS_PREFIX}:reconciled`;

/** The order in which jobs run. Holds ids only; a job that is lost here is put back by the reconciler. */
export class JobQueue {
  readonly #queue: Queue<PendingJob>;
  readonly #redis: Redis;
  readonly #attempts: number;

  /** @param options attempts: times a job is started again when its process dies */
  constructor(options: { redis: Redis; attempts: number }) {
    this.#redis = options.redis;
    this.#attempts = options.attempts;
    this.#queue = new Queue(QUEUE_NAME, { connection: options.redis, prefix: REDIS_PREFIX });
    this.#queue.on('error', () => undefined); // logged by the connection
  }

  /** Put a job into the queue; one that is there already stays as it is. @throws AppError `queue_unavailable` */
  async add(job: PendingJob): Promise<void> {
    await withDeadline(
      this.#queue.add('run', job, {
        jobId: job.id,
        attempts: this.#attempts,
        backoff: { type: 'fixed', delay: 1000 },
        removeOnComplete: true,
        removeOnFail: true,
      }),
    );
  }

  /** @throws AppError `queue_unavailable` */
  async has(id: string): Promise<boolean> {
    return (await withDeadline(this.#queue.getJob(id))) !== undefined;
  }

  /** All ids that wait, run or wait for another attempt, in one look. @throws AppError `queue_unavailable` */
  async ids(): Promise<Set<string>> {
    return new Set(await withDeadline(this.#queue.getRanges(['wait', 'active', 'delayed'], 0, -1), 10_000));
  }

  /** Take a job out that no worker has started. @returns whether it was taken out */
  async remove(id: string): Promise<boolean> {
    const job = await withDeadline(this.#queue.getJob(id));
    if (!job) return false;
    try {
      await withDeadline(job.remove());
      return true;
    } catch {
      return false; // a worker holds its lock
    }
  }

  /** 1 for the job that runs next; null when it is not waiting. Costs one look through the waiting ids. */
  async position(id: string): Promise<number | null> {
    const key = this.#queue.toKey('wait');
    // In one transaction: a worker may take the job between two calls.
    const [place, length] = (await withDeadline(this.#redis.multi().lpos(key, id).llen(key).exec(), 500)) ?? [];
    const index = place?.[1];
    return typeof index === 'number' ? Number(length?.[1]) - index : null; // BullMQ adds left and takes from the right
  }

  async counts(): Promise<Record<string, number>> {
    return withDeadline(this.#queue.getJobCounts('waiting', 'active', 'delayed'), 500);
  }

  /** Note that every promised job was looked for, and is in the queue or runs. @throws AppError `queue_unavailable` */
  async markReconciled(): Promise<void> {
    await withDeadline(this.#redis.set(RECONCILED_KEY, Date.now()));
  }

  /** When that was noted last, in ms since 1970; undefined: never, or Redis was wiped. @throws AppError `queue_unavailable` */
  async reconciledAt(): Promise<number | undefined> {
    const noted = await withDeadline(this.#redis.get(RECONCILED_KEY), 500);
    return noted === null ? undefined : Number(noted);
  }

  /** @throws AppError `queue_unavailable` when Redis does not answer */
  async check(): Promise<void> {
    await withDeadline(this.#redis.ping());
  }

  /** Redis' eviction policy; anything but `noeviction` may lose jobs. */
  async evictionPolicy(): Promise<string> {
    const info = await withDeadline(this.#redis.info('memory'));
    return /maxmemory_policy:(\S+)/.exec(info)?.[1] ?? 'unknown';
  }

  async close(): Promise<void> {
    await this.#queue.close().catch(() => undefined);
  }
}
