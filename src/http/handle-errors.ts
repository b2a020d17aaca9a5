import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { AppError, type ErrorCode } from '../errors.js';
import type { Dialect } from './dialect.js';
import { translateError } from './translate-error.js';

type Render = Dialect['renderError'];

/** Answers that say when to try again. */
const TRY_AGAIN = new Set<ErrorCode>(['overloaded', 'queue_unavailable', 'rate_limited', 'too_many_jobs']);

/**
 * Answer every error of this scope, and every path under its prefix that has no route, as `render` says. What is not an
 * `AppError` is logged and masked.
 * @param methodsOf methods that a path takes, for whoever used another
 */
export function handleErrors(scope: FastifyInstance, render: Render, methodsOf: (path: string) => string[]): void {
  scope.setErrorHandler((error: FastifyError, request, reply) => {
    const known = translateError(error);
    if (known.status >= 500) request.log.error({ err: error }, known.message);
    return sendError(request, reply, known, render);
  });
  scope.setNotFoundHandler((request, reply) => sendError(request, reply, noRoute(request, reply, methodsOf), render));
}

/** What is wrong with a request that has no route; the reply says which methods its path takes. */
export function noRoute(request: FastifyRequest, reply: FastifyReply, methodsOf: (path: string) => string[]): AppError {
  const path = request.url.split('?')[0]!;
  const methods = methodsOf(path.replace(/(?<=.)\/$/, ''));
  if (methods.length === 0) {
    return new AppError('not_found', `There is no ${request.method} ${path}. The routes are listed at /docs.`);
  }
  const allow = methods.join(', ');
  reply.header('allow', allow);
  return new AppError('method_not_allowed', `${path} does not take ${request.method}; it takes ${allow}.`);
}

export function sendError(request: FastifyRequest, reply: FastifyReply, error: AppError, render: Render): FastifyReply {
  const { status, headers, type, body } = render(error, request.id);
  if (TRY_AGAIN.has(error.code)) reply.header('retry-after', String(error.details.retry_after ?? 1));
  return reply.status(status).headers(headers).type(type).send(body);
}

/** Follow the routes of an app, before any is added. @returns the methods of a path, sorted; none: there is no such path */
export function followRoutes(app: FastifyInstance): (path: string) => string[] {
  const routes: { pattern: RegExp; methods: string[] }[] = [];
  app.addHook('onRoute', ({ url, method }) => {
    const pattern = url
      .replace(/[.+?^${}()|[\]\\]/g, '\\$&')
      .replace(/:\w+/g, '[^/]+')
      .replace(/\*/g, '.*');
    if (url !== '*') routes.push({ pattern: new RegExp(`^${pattern}$`), methods: [method].flat() });
  });
  return (path) =>
    [...new Set(routes.filter(({ pattern }) => pattern.test(path)).flatMap(({ methods }) => methods))].sort();
}
