import { EventEmitter, once } from 'node:events';
import type { Redis } from 'ioredis';
import type { JobEvent, JobProgress } from '../schemas.js';
import { REDIS_PREFIX } from './redis.js';

/** How long a job that has ended stays in Redis, for those who are still reading its events. */
const LINGER_SECONDS = 3600;

export type NewEvent = Pick<JobEvent, 'type' | 'message' | 'data'>;

/**
 * Progress and events of running jobs, in Redis: shown live, and gone if Redis is wiped.
 * Events are a list; an event's place in it is its sequence number.
 */
export class LiveState {
  readonly #redis: Redis;
  readonly #subscriber: Redis;
  readonly #changes = new EventEmitter().setMaxListeners(0);

  /** @param options subscriber: a connection of its own, as Redis wants it for subscriptions */
  constructor(options: { redis: Redis; subscriber: Redis }) {
    this.#redis = options.redis;
    this.#subscriber = options.subscriber;
    this.#subscriber.on('message', (channel: string, message: string) => {
      this.#changes.emit(`${channel.slice(REDIS_PREFIX.length + 1)}:${message}`);
    });
    void this.#subscriber.subscribe(`${REDIS_PREFIX}:events`, `${REDIS_PREFIX}:cancel`).catch(() => undefined);
  }

  async setProgress(job: string, progress: JobProgress & { attempt: number }): Promise<void> {
    await this.#redis.set(progressKey(job), JSON.stringify(progress));
  }

  async progress(job: string): Promise<(JobProgress & { attempt: number }) | undefined> {
    const text = await this.#redis.get(progressKey(job));
    return text === null ? undefined : JSON.parse(text);
  }

  /** @returns the event as it lies in Redis */
  async addEvent(job: string, event: NewEvent): Promise<string> {
    const line = JSON.stringify({ at: new Date().toISOString(), ...event });
    await this.#redis.multi().rpush(eventsKey(job), line).publish(`${REDIS_PREFIX}:events`, job).exec();
    return line;
  }

  /** All events, as they lie in Redis. */
  async lines(job: string, after = 0): Promise<string[]> {
    return this.#redis.lrange(eventsKey(job), after, -1);
  }

  /**
   * Put events back in front that Redis has lost, so that each keeps its sequence number.
   * @param known the events as they were at the last look, and those added since
   * @returns all events
   */
  async restoreLines(job: string, known: string[]): Promise<string[]> {
    const [first, length] = (await this.#redis.multi().lindex(eventsKey(job), 0).llen(eventsKey(job)).exec()) ?? [];
    const isWhole = known.length === 0 || (first?.[1] === known[0] && Number(length?.[1]) >= known.length);
    if (isWhole) return [...known, ...(await this.lines(job, known.length))];
    const present = await this.lines(job);
    const there = new Set(present);
    const lost = known.filter((line) => !there.has(line));
    if (lost.length > 0) await this.#redis.lpush(eventsKey(job), ...[...lost].reverse());
    return [...lost, ...present];
  }

  /** Events after the sequence number `after`. */
  async events(job: string, after = 0): Promise<JobEvent[]> {
    return (await this.lines(job, after)).map((line, i) => ({ seq: after + 1 + i, ...JSON.parse(line) }));
  }

  /** Wait until a job has a new event, or until `ms` have passed. */
  async nextEvent(job: string, ms: number, signal: AbortSignal): Promise<void> {
    await once(this.#changes, `events:${job}`, { signal: AbortSignal.any([signal, AbortSignal.timeout(ms)]) }).catch(
      () => undefined,
    );
  }

  async announceCancel(job: string): Promise<void> {
    await this.#redis.publish(`${REDIS_PREFIX}:cancel`, job);
  }

  /** @returns a function that stops listening */
  onCancel(job: string, listener: () => void): () => void {
    this.#changes.on(`cancel:${job}`, listener);
    return () => {
      this.#changes.off(`cancel:${job}`, listener);
    };
  }

  async forgetLater(job: string): Promise<void> {
    await this.#redis.multi().expire(progressKey(job), LINGER_SECONDS).expire(eventsKey(job), LINGER_SECONDS).exec();
  }
}

function progressKey(job: string): string {
  return `${REDIS_PREFIX}:progress:${job}`;
}

function eventsKey(job: string): string {
  return `${REDIS_PREFIX}:events:${job}`;
}
