/**
 * http/ speaks HTTP: what every dialect needs (forms, bodies, ranges, event streams, limits, errors), one concern a file.
 * Routes lie in the folder of their dialect and only translate; rules lie in operations/.
 *
 * This file: what a dialect is. A new one is a folder of its own beside native/, and one line in bin/server.ts.
 */
import type { FastifyPluginAsync, FastifyRequest } from 'fastify';
import type { Config } from '../config.js';
import type { AppError } from '../errors.js';
import type { Operations } from '../operations/operations.js';
import type { ByteBudget } from './byte-budget.js';

/** A way to talk to the service: its own paths, its own place for the key, its own words for errors. */
export interface Dialect {
  /** Begins each of its paths, such as `/v1`. Two dialects never share one. */
  prefix: string;
  /** The API key of a request, if it has one. Never from the query: that ends in logs. */
  key(request: FastifyRequest): string | undefined;
  /** How a client sends its key, for a sentence that ends with it: `Authorization: Bearer <key>`. */
  keyHint: string;
  /** Its routes, without the prefix. Before each of them the key was asked for; `request.caller` says whose it is. */
  routes(operations: Operations, context: DialectContext): FastifyPluginAsync;
  /** Every error under its prefix, paths that it does not have included. */
  renderError(error: AppError, requestId: string): RenderedError;
}

/** What the dialects of one service share. */
export interface DialectContext {
  config: Config;
  /** Memory for bodies of predictions, all dialects together. */
  predictionBodies: ByteBudget;
  /** Aborted when the service is about to end: answers without an end come to theirs. */
  closing: AbortSignal;
}

export interface RenderedError {
  status: number;
  headers: Record<string, string>;
  /** Media type of the body. */
  type: string;
  body: string;
}

/** How errors under a path are shown; undefined: it is no dialect's. */
export function dialectOf(dialects: Dialect[], url: string): Dialect | undefined {
  const path = url.split('?')[0]!;
  return dialects.find(({ prefix }) => path === prefix || path.startsWith(`${prefix}/`));
}
