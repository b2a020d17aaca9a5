import type { FastifyInstance } from 'fastify';
import { AppError } from '../errors.js';
import type { RateLimits } from '../redis/rate-limits.js';

/** Count every request for its API key, and refuse what is beyond the key's rate, before anything is read. */
export function limitRates(app: FastifyInstance, limits: RateLimits): void {
  const { quota, windowSeconds } = limits;
  app.addHook('onRequest', async (request, reply) => {
    if (request.apiKey === undefined) return;
    const { allowed, remaining, waitSeconds } = limits.take(request.apiKey);
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
