import type { Redis } from 'ioredis';
import { REDIS_PREFIX } from './connect.js';

export interface RateDecision {
  allowed: boolean;
  /** Requests the key may still send now. */
  remaining: number;
  /** Whole seconds until it may send again (refused), or until its window has passed (allowed). */
  waitSeconds: number;
}

export interface RateLimitsOptions {
  redis: Redis;
  perSecond: number;
  /** For tests: the clock, ms. */
  now?: () => number;
}

interface Count {
  /** Number of the window that the other fields are of. */
  window: number;
  /** Requests of all servers in it, as Redis said last. */
  shared: number;
  /** Requests let in here that Redis does not know of yet. */
  unsent: number;
  /** Requests of all servers in the window before. */
  previous: number;
}

/** Long enough for bursts, short enough that who was refused is back soon. */
const WINDOW_MS = 10_000;
const SYNC_MS = 100;

/**
 * Most requests per API key, all servers together: a sliding window, from the counts of two fixed ones.
 *
 * A request only asks this process's memory. Ten times a second what was let in is added to Redis and the sum of all servers
 * comes back: so a request never waits for Redis, and several servers together let in at most what arrives in 0.1 s too
 * much. While Redis is away or hangs, each server goes on counting its own requests: nobody is refused because of it.
 */
export class RateLimits {
  readonly windowSeconds = WINDOW_MS / 1000;
  readonly quota: number;
  readonly #redis: Redis;
  readonly #now: () => number;
  readonly #counts = new Map<string, Count>();
  readonly #timer: NodeJS.Timeout;
  #syncing = false;

  constructor({ redis, perSecond, now = Date.now }: RateLimitsOptions) {
    this.quota = perSecond * this.windowSeconds;
    this.#redis = redis;
    this.#now = now;
    this.#timer = setInterval(() => void this.sync(), SYNC_MS).unref();
  }

  /** Count one request of a key, unless it is one too many. */
  take(key: string): RateDecision {
    const now = this.#now();
    const count = this.#at(key, now);
    const elapsed = now % WINDOW_MS;
    const used = count.shared + count.unsent;
    const room = this.quota - used - count.previous * (1 - elapsed / WINDOW_MS);
    if (room < 1) return { allowed: false, remaining: 0, waitSeconds: this.#wait(count, elapsed) };
    count.unsent += 1;
    return {
      allowed: true,
      remaining: Math.floor(room - 1),
      waitSeconds: Math.max(1, Math.ceil((WINDOW_MS - elapsed) / 1000)),
    };
  }

  /** Tell Redis what was let in here, and ask what all servers let in. One at a time, and nobody waits for it. */
  async sync(): Promise<void> {
    // A command to a Redis that hangs stays under way: until it ends, no other is sent.
    if (this.#syncing || this.#redis.status !== 'ready') return;
    this.#syncing = true;
    try {
      const now = this.#now();
      const window = Math.floor(now / WINDOW_MS);
      const active = [...this.#counts].filter(([, count]) => window - count.window <= 1);
      if (active.length === 0) return;
      const pipeline = this.#redis.pipeline();
      const sent = active.map(([key]) => {
        const count = this.#at(key, now);
        pipeline.incrby(nameOf(key, window), count.unsent);
        pipeline.pexpire(nameOf(key, window), 2 * WINDOW_MS);
        pipeline.get(nameOf(key, window - 1));
        return { count, unsent: count.unsent };
      });
      const answers = (await pipeline.exec()) ?? [];
      for (const [i, { count, unsent }] of sent.entries()) {
        if (count.window !== window) continue; // meanwhile the next one has begun
        const [[failure, shared], , [, previous]] = answers.slice(3 * i, 3 * i + 3) as [Error | null, unknown][] as [
          [Error | null, unknown],
          [Error | null, unknown],
          [Error | null, unknown],
        ];
        if (failure) continue;
        count.shared = Number(shared);
        count.unsent -= unsent;
        count.previous = Math.max(count.previous, Number(previous ?? 0));
      }
    } catch {
      // Redis went away: counted here until it is back
    } finally {
      this.#syncing = false;
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** The count of a key in the window of now. There are as many as there are keys in the settings. */
  #at(key: string, now: number): Count {
    const window = Math.floor(now / WINDOW_MS);
    let count = this.#counts.get(key);
    if (!count) {
      count = { window, shared: 0, unsent: 0, previous: 0 };
      this.#counts.set(key, count);
    } else if (count.window !== window) {
      count.previous = count.window === window - 1 ? count.shared + count.unsent : 0;
      count.shared = 0;
      count.unsent = 0;
      count.window = window;
    }
    return count;
  }

  /** Seconds until the share of the window before has become small enough for one request. */
  #wait({ shared, unsent, previous }: Count, elapsed: number): number {
    const room = this.quota - 1 - shared - unsent;
    // In this window while there is room for a part of the one before; else in the next, of which this is the one before.
    const [before, rest, until] =
      room >= 0 ? [previous, room, -elapsed] : [shared + unsent, this.quota - 1, WINDOW_MS - elapsed];
    return Math.max(1, Math.ceil((until + WINDOW_MS * (1 - rest / Math.max(1, before))) / 1000));
  }
}

function nameOf(key: string, window: number): string {
  return `${REDIS_PREFIX}:rate:${key}:${window}`;
}
