import type { FastifyRequest } from 'fastify';

/** `Authorization: Bearer <key>` (RFC 6750). */
export function bearerKey(request: FastifyRequest): string | undefined {
  return /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? '')?.[1];
}

export const BEARER_HINT = '`Authorization: Bearer <key>`';
