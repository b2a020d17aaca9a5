import type { FastifyInstance, FastifyRequest, RouteOptions } from 'fastify';
import { SCOPES, type Scope } from '../access/scopes.js';
import { AppError } from '../errors.js';

/** What a route asks of a key; `public`: nothing, not even that there is one. */
export type RouteScope = Scope | 'public';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Every route has one. */
    scope?: RouteScope;
  }
}

/** An operation and what it asks. */
export interface ScopedRoute {
  method: string;
  url: string;
  scope: RouteScope;
}

/** Every request of this scope is held against what its route asks of a key. After `authenticate`. */
export function authorise(scope: FastifyInstance): void {
  scope.addHook('onRequest', async (request) => refuseOutOfScope(request));
}

/**
 * Follow the routes of an app, before any is added: one that does not say what it asks keeps the app from getting ready.
 * @returns the routes, once it is ready
 */
export function requireScopes(app: FastifyInstance): () => ScopedRoute[] {
  const routes: RouteOptions[] = [];
  app.addHook('onRoute', (route) => void routes.push(route));
  app.addHook('onReady', async () => {
    const silent = routes.find(({ config }) => config?.scope === undefined);
    if (silent) throw new Error(`${String(silent.method)} ${silent.url} does not say which scope it needs`);
  });
  return () =>
    routes.flatMap(({ method, url, config }) =>
      [method].flat().map((one) => ({ method: one, url, scope: config!.scope! })),
    );
}

/** @throws AppError `forbidden` */
function refuseOutOfScope({ caller, method, url, routeOptions }: FastifyRequest): void {
  const { scope } = routeOptions.config;
  if (scope === undefined || scope === 'public' || caller.scopes.has(scope)) return;
  const has = [...caller.scopes].join(', ');
  throw new AppError(
    'forbidden',
    `${method} ${url.split('?')[0]} needs a key with the scope \`${scope}\` (${SCOPES[scope]}). This one has: ${has}.`,
    { details: { scope } },
  );
}
