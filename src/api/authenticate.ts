import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import type { ApiKey } from '../config.js';
import { AppError } from '../errors.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Whose data the request sees. */
    tenant: string;
  }
}

/** Tenant of everybody when there are no keys. */
export const DEFAULT_TENANT = 'default';

/** Every request needs one of the keys, if there are any; it decides the tenant. Keys are compared as SHA-256. */
export function authenticate(app: FastifyInstance, keys: ApiKey[]): void {
  const known = keys.map(({ tenant, sha256 }) => ({ tenant, digest: Buffer.from(sha256, 'hex') }));
  app.decorateRequest('tenant', DEFAULT_TENANT);
  app.addHook('onRequest', async (request) => {
    if (known.length === 0) return;
    const [, presented] = /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? '') ?? [];
    const digest = createHash('sha256')
      .update(presented ?? '')
      .digest();
    let found: string | undefined;
    // Every key is compared, so that the time says nothing.
    for (const key of known) if (timingSafeEqual(key.digest, digest)) found = key.tenant;
    if (presented === undefined || found === undefined) {
      throw new AppError(
        'unauthorized',
        presented === undefined
          ? 'This needs an API key: send it as `Authorization: Bearer <key>`.'
          : 'This API key is not known.',
      );
    }
    request.tenant = found;
  });
}
