import type { FastifyInstance } from 'fastify';

/** Asked every few seconds by machines. */
const QUIET = new Set(['/livez', '/readyz', '/metrics']);

/** One line a request, once it is answered. */
export function logRequests(app: FastifyInstance): void {
  app.addHook('onResponse', async (request, reply) => {
    const level = QUIET.has(request.routeOptions.url ?? '') ? 'debug' : 'info';
    request.log[level](
      {
        method: request.method,
        // Without the query: whoever puts a key there by mistake shall not find it in a log.
        path: request.url.split('?')[0],
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime),
      },
      'request',
    );
  });
}
