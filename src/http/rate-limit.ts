import type { FastifyInstance } from 'fastify';
import { LOCAL } from '../access/key-ring.js';
import { AppError } from '../errors.js';
import type { RateLimits } from '../redis/rate-limits.js';

/**
 * Count every request for its API key, and refuse what is beyond the key's rate, before anything is read. Without keys
 * nothing is counted. After `authenticate`.
 */
export function limitRates(scope: FastifyInstance, limits: Pick<RateLimits, 'quota' | 'windowSeconds' | 'take'>): void {
  const { quota, windowSeconds } = limits;
  scope.addHook('onRequest', async (request, reply) => {
    const { by } = request.caller;
    if (by === LOCAL.by) return;
    const { allowed, remaining, waitSeconds } = limits.take(by);
    reply
      .header('ratelimit-policy', `"key";q=${quota};w=${windowSeconds}`)
      .header('ratelimit', `"key";r=${remaining};t=${waitSeconds}`);
    if (allowed) return;
    throw new AppError(
      'rate_limited',
      `This API key has sent ${quota} requests within ${windowSeconds} s (RATE_LIMIT_PER_SECOND). Try again in ${waitSeconds} s.`,
      { details: { retry_after: waitSeconds } },
    );
  });
}
