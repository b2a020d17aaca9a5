import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from '@sinclair/typebox';
import type { Operations } from '../operations/operations.js';
import type { Metrics } from './metrics.js';

const Ready = Type.Object({
  ready: Type.Boolean(),
  checks: Type.Record(Type.String(), Type.String(), { description: '`ok`, or what is wrong' }),
});

/** Reachable without a key, in no dialect: for load balancers and orchestrators. */
export function healthRoutes({ service }: Pick<Operations, 'service'>): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      '/livez',
      {
        schema: {
          tags: ['Service'],
          summary: 'Whether the process answers',
          response: { 200: Type.Object({ alive: Type.Boolean() }) },
        },
      },
      async () => ({ alive: true }),
    );
    app.get(
      '/readyz',
      {
        schema: {
          tags: ['Service'],
          summary: 'Whether requests may be sent here',
          description:
            'Predictions need the default backbone and storage. Without Redis predictions go on and new jobs are refused; a Redis that may throw jobs away is never ready.',
          response: { 200: Ready, 503: Ready },
        },
      },
      async (request, reply) => {
        const { ready, checks, fault } = await service.readiness();
        if (fault) request.log.error({ err: fault }, 'the default backbone does not load');
        return reply.status(ready ? 200 : 503).send({ ready, checks });
      },
    );
  };
}

/** Needs a key, as the routes of the dialects do. */
export function metricsRoute({ registry }: Pick<Metrics, 'registry'>): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      '/metrics',
      { schema: { tags: ['Service'], summary: 'Metrics for Prometheus', produces: ['text/plain'] } },
      async (_request, reply) => reply.type(registry.contentType).send(await registry.metrics()),
    );
  };
}
