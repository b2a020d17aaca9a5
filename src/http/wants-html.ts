import type { FastifyRequest } from 'fastify';

/** Whether a browser asks that shows pages. */
export function wantsHtml({ headers }: FastifyRequest): boolean {
  return headers.accept?.includes('text/html') ?? false;
}
