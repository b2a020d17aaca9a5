import { EventEmitter, once } from 'node:events';
import type { Redis } from 'ioredis';
import { decodeTime } from 'ulid';
import { REDIS_PREFIX } from '../redis/connect.js';
import type { JobEvent, JobProgress } from '../schemas/jobs.js';

/** How long a job that has ended stays in Redis, for those who are still reading its events. */
const LINGER_SECONDS = 3600;

/** Events as they lie in Redis; the number of the first is `base` + 1. */
export interface ToldEvents {
  base: number;
  lines: string[];
}

export type NewEvent = Pick<JobEvent, 'type' | 'message' | 'data'>;

/**
 * Progress and events of running jobs, in Redis: shown live, and gone if Redis is wiped.
 * Events are a list; an event's place in it, counted from the list's base, is its sequence number.
 */
export class LiveJobs {
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

  /** @returns the event as it lies in Redis, and how many are there with it. */
  async addEvent(job: string, event: NewEvent): Promise<{ line: string; base: number; length: number }> {
    const line = JSON.stringify({ at: new Date().toISOString(), ...event });
    const start = event.type === 'created' ? 0 : laterThanSeen(job);
    const keys = [eventsKey(job), baseKey(job), `${REDIS_PREFIX}:events`];
    const [base, length] = (await this.#redis.eval(ADD_EVENT, 3, ...keys, line, start, job)) as [number, number];
    return { line, base, length };
  }

  /** All events as they lie in Redis, and the base of their numbers. */
  async told(job: string): Promise<ToldEvents> {
    const { base, lines } = await this.#read(job, 0);
    return { base, lines };
  }

  /**
   * Tell events again that Redis has lost.
   * @param known the events as they were at the last look, and those added since
   * @returns all events, as they are now
   */
  async restore(job: string, known: ToldEvents): Promise<ToldEvents> {
    const { base, lines } = known;
    const key = eventsKey(job);
    const [first, length] = (await this.#redis.multi().lindex(key, 0).llen(key).exec()) ?? [];
    if (lines.length === 0) return this.told(job);
    if (first?.[1] === lines[0] && Number(length?.[1]) >= lines.length) {
      return { base, lines: [...lines, ...(await this.#redis.lrange(key, lines.length, -1))] };
    }
    await this.#redis.eval(RESTORE, 2, key, baseKey(job), base, ...lines);
    return this.told(job);
  }

  /** Events after the sequence number `after`. */
  async events(job: string, after = 0): Promise<JobEvent[]> {
    const { base, from, lines } = await this.#read(job, after);
    return lines.map((line, i) => ({ seq: base + from + 1 + i, ...JSON.parse(line) }));
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
    const keys = [progressKey(job), eventsKey(job), baseKey(job)];
    await this.#redis.multi(keys.map((key) => ['expire', key, LINGER_SECONDS])).exec();
  }

  /** The lines after the sequence number `after` and their base, of one moment: a wipe in between would mix two counts. */
  async #read(job: string, after: number): Promise<ToldEvents & { from: number }> {
    const read = await this.#redis.eval(READ_EVENTS, 2, eventsKey(job), baseKey(job), after);
    const [base, from, lines] = read as [number, number, string[]];
    return { base, from, lines };
  }
}

/** Appends an event and announces it. The first of a list decides where the list's numbers begin. */
const ADD_EVENT = `
if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('SET', KEYS[2], ARGV[2]) end
redis.call('RPUSH', KEYS[1], ARGV[1])
redis.call('PUBLISH', KEYS[3], ARGV[3])
return {tonumber(redis.call('GET', KEYS[2]) or '0'), redis.call('LLEN', KEYS[1])}
`;

const READ_EVENTS = `
local base = tonumber(redis.call('GET', KEYS[2]) or '0')
local from = math.max(0, tonumber(ARGV[1]) - base)
return {base, from, redis.call('LRANGE', KEYS[1], from, -1)}
`;

/**
 * Puts lost events in front of those that came after the loss. Where there are none, all keep their numbers; otherwise the
 * later ones do, for their readers may be ahead already.
 */
const RESTORE = `
local present = redis.call('LRANGE', KEYS[1], 0, -1)
local is_there = {}
for _, line in ipairs(present) do is_there[line] = true end
local lost = 0
for i = #ARGV, 2, -1 do
  if not is_there[ARGV[i]] then
    redis.call('LPUSH', KEYS[1], ARGV[i])
    lost = lost + 1
  end
end
if #present == 0 then redis.call('SET', KEYS[2], ARGV[1])
else redis.call('SET', KEYS[2], math.max(0, tonumber(redis.call('GET', KEYS[2]) or '0') - lost)) end
`;

/**
 * A sequence number above those that a reader may have seen of a job whose events Redis has lost: the job's age in ms, for
 * a job tells less than one event a ms.
 */
export function laterThanSeen(job: string): number {
  try {
    return Math.max(0, Date.now() - decodeTime(job.slice(job.indexOf('_') + 1).toUpperCase()));
  } catch {
    return 0; // not an id of ours
  }
}

function progressKey(job: string): string {
  return `${REDIS_PREFIX}:progress:${job}`;
}

function baseKey(job: string): string {
  return `${REDIS_PREFIX}:events-base:${job}`;
}

function eventsKey(job: string): string {
  return `${REDIS_PREFIX}:events:${job}`;
}
