import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { AppError, isErrno } from '../errors.js';

/** What is served of the client, beside its source when it is compiled. */
const FOLDER = join(import.meta.dirname, '..', 'client', 'bundle');
const FILES: Record<string, string> = {
  '/client.mjs': 'text/javascript; charset=utf-8',
  '/client.d.mts': 'text/plain; charset=utf-8',
};

/** The client for JavaScript as one file, and its types: ten lines work without installing anything. */
export function clientRoutes(): FastifyPluginAsyncTypebox {
  return async (app) => {
    for (const [path, type] of Object.entries(FILES)) {
      let read: { bytes: Buffer; etag: string } | undefined;
      app.get(path, { schema: { hide: true }, config: { scope: 'public' } }, async (request, reply) => {
        read ??= fileOf(path);
        reply.header('etag', read.etag).header('cache-control', 'no-cache');
        if (request.headers['if-none-match'] === read.etag) return reply.status(304).send();
        return reply.type(type).send(read.bytes);
      });
    }
  };
}

/** @throws AppError `not_found` where it was not bundled */
function fileOf(path: string): { bytes: Buffer; etag: string } {
  try {
    const bytes = readFileSync(join(FOLDER, path));
    return { bytes, etag: `"${createHash('sha256').update(bytes).digest('hex').slice(0, 32)}"` };
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
    throw new AppError('not_found', 'The client was not bundled here: start Graft with `npm start`, once.');
  }
}
