import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from '@sinclair/typebox';
import type { Operations } from '../operations/operations.js';
import type { Config } from '../config.js';
import type { Metrics } from './metrics.js';
import { wantsHtml } from './wants-html.js';

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
          operationId: 'getLiveness',
          tags: ['Service'],
          summary: 'Whether the process answers',
          security: [],
          response: { 200: Type.Object({ alive: Type.Boolean() }) },
        },
        config: { scope: 'public' },
      },
      async () => ({ alive: true }),
    );
    app.get(
      '/readyz',
      {
        schema: {
          operationId: 'getReadiness',
          tags: ['Service'],
          summary: 'Whether requests may be sent here',
          security: [],
          description:
            'Predictions need the default backbone and storage. Without Redis predictions go on and new jobs are refused; a Redis that may throw jobs away is never ready.',
          response: { 200: Ready, 503: Ready },
        },
        config: { scope: 'public' },
      },
      async (request, reply) => {
        const { ready, checks, fault } = await service.readiness();
        if (fault) request.log.error({ err: fault }, 'the default backbone does not load');
        return reply.status(ready ? 200 : 503).send({ ready, checks });
      },
    );
  };
}

/** What is found at the top: in a browser the way to the documentation, else what this is. */
export function topRoute({ BASE_PATH }: Pick<Config, 'BASE_PATH'>): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      '/',
      {
        schema: {
          operationId: 'getService',
          tags: ['Service'],
          summary: 'What this is, and where its parts are',
          security: [],
          response: {
            200: Type.Object({ name: Type.String(), api: Type.String(), docs: Type.String(), openapi: Type.String() }),
            302: Type.Null({ description: 'A browser is led to the documentation' }),
          },
        },
        config: { scope: 'public' },
      },
      async (request, reply) => {
        reply.header('vary', 'accept');
        if (wantsHtml(request)) return reply.redirect(`${BASE_PATH}/docs`) as never;
        const [api, docs, openapi] = ['/v1', '/docs', '/openapi.json'].map((path) => BASE_PATH + path);
        return { name: 'Graft', api: api!, docs: docs!, openapi: openapi! };
      },
    );
  };
}

/** Needs a key, as the routes of the dialects do. */
export function metricsRoute({ registry }: Pick<Metrics, 'registry'>): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      '/metrics',
      {
        schema: {
          operationId: 'getMetrics',
          tags: ['Service'],
          summary: 'Metrics for Prometheus',
          produces: ['text/plain'],
        },
        config: { scope: 'operator' },
      },
      async (_request, reply) => reply.type(registry.contentType).send(await registry.metrics()),
    );
  };
}
