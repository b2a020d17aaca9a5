import type { FastifyInstance } from 'fastify';
import type { Access } from '../access/key-ring.js';
import type { Caller } from '../operations/caller.js';
import type { Dialect } from './dialect.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks; known in every route that needs a key. */
    caller: Caller;
  }
}

/** Every request of this scope needs a key, if there are any; it decides the tenant. */
export function authenticate(
  scope: FastifyInstance,
  access: Access,
  { key, keyHint }: Pick<Dialect, 'key' | 'keyHint'>,
): void {
  scope.decorateRequest('caller', null as unknown as Caller); // so that all requests have one shape
  scope.addHook('onRequest', async (request) => {
    request.caller = { ...access.identify(key(request), keyHint), requestId: request.id };
  });
}
