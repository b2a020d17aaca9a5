import type { FastifyReply } from 'fastify';

/**
 * Aborted when the client goes away before it has its answer. (Fastify's `request.signal` is aborted as soon as the body
 * has been read, which for a streamed body is too early.)
 */
export function clientLeft(reply: FastifyReply): AbortSignal {
  const left = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) left.abort();
  });
  return left.signal;
}
