import { createHash, createHmac, randomBytes } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import type { ApiKey } from '../config.js';
import { AppError } from '../errors.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Whose data the request sees. */
    tenant: string;
    /** Which of the keys it came with: a name for counting, from which the key cannot be found; undefined without keys. */
    apiKey: string | undefined;
  }
}

/** Tenant of everybody when there are no keys. */
export const DEFAULT_TENANT = 'default';

/**
 * Every request needs one of the keys, if there are any; it decides the tenant. Keys are known by their SHA-256.
 *
 * One look-up, however many keys there are, and it says nothing by its time: what is looked up is the digest under a secret
 * of this process (HMAC), so that nobody outside can choose how much of it agrees with that of a real key.
 */
export function authenticate(app: FastifyInstance, keys: ApiKey[]): void {
  const secret = randomBytes(32);
  const blind = (digest: Buffer) => createHmac('sha256', secret).update(digest).digest('base64');
  const known = new Map(
    keys.map(({ tenant, sha256 }) => [
      blind(Buffer.from(sha256, 'hex')),
      { tenant, apiKey: createHash('sha256').update(sha256).digest('hex').slice(0, 16) },
    ]),
  );
  app.decorateRequest('tenant', DEFAULT_TENANT);
  app.decorateRequest('apiKey', undefined);
  app.addHook('onRequest', async (request) => {
    if (known.size === 0) return;
    const [, presented] = /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? '') ?? [];
    const digest = createHash('sha256')
      .update(presented ?? '')
      .digest();
    const found = known.get(blind(digest));
    if (presented === undefined || found === undefined) {
      throw new AppError(
        'unauthorized',
        presented === undefined
          ? 'This needs an API key: send it as `Authorization: Bearer <key>`.'
          : 'This API key is not known.',
      );
    }
    request.tenant = found.tenant;
    request.apiKey = found.apiKey;
  });
}
