/**
 * redis/ connects to Redis, reads its address, and counts requests in it. What a queue or live events mean lies in jobs/; the
 * `redis-server` that `npm start` runs lies in launch/.
 *
 * This file: a connection, and how long a request waits for it.
 */
import { Redis, type RedisOptions } from 'ioredis';
import { AppError } from '../errors.js';
import type { Log } from '../log.js';
import { redisAddress } from './url.js';

/** Prefix of all keys of ours in Redis. */
export const REDIS_PREFIX = 'graft';

/** Longest wait for Redis in a request. Longer waits would pile up requests while Redis is away. */
const DEADLINE_MS = 2000;

/** Connect to `redis://…`, `rediss://…` or `unix:///…`; reconnects for ever. */
export function connectRedis(url: string, log: Log, options: RedisOptions = {}): Redis {
  const redis = new Redis({
    ...redisAddress(url),
    maxRetriesPerRequest: null,
    retryStrategy: (attempt) => Math.min(100 * attempt, 1000),
    ...options,
  });
  let away = false;
  redis.on('error', (error) => {
    if (!away) log.warn({ err: error }, 'Redis cannot be reached; trying again until it answers');
    away = true;
  });
  redis.on('ready', () => {
    if (away) log.info('Redis answers again');
    away = false;
  });
  return redis;
}

/**
 * Give up waiting for Redis after a while; commands to a Redis that is away stay pending for ever.
 * @throws AppError `queue_unavailable`
 */
export async function withDeadline<T>(command: Promise<T>, ms = DEADLINE_MS): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  command.catch(() => undefined);
  try {
    return await Promise.race([
      command,
      new Promise<never>((_, reject) => {
        timer = setTimeout(() => {
          reject(new AppError('queue_unavailable', 'The job queue (Redis) does not answer. Try again.'));
        }, ms);
      }),
    ]);
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw new AppError('queue_unavailable', 'The job queue (Redis) cannot be reached. Try again.', {
      cause: error,
    });
  } finally {
    clearTimeout(timer);
  }
}
