import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from '@sinclair/typebox';
import type { Operations } from '../operations/operations.js';
import type { Config } from '../config.js';
import type { Metrics } from './metrics.js';
import { PAGE_HEADERS } from './security-headers.js';
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

/** What is found at the top: in a browser the page, else what this is. @param page its HTML; undefined: it was not made here */
export function topRoute(
  { BASE_PATH }: Pick<Config, 'BASE_PATH'>,
  page: (() => string | undefined) | undefined,
): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      '/',
      {
        schema: {
          operationId: 'getService',
          tags: ['Service'],
          summary: 'What this is, and where its parts are',
          description: 'A browser that asks for `text/html` is shown the page.',
          security: [],
          response: {
            200: Type.Object({ name: Type.String(), api: Type.String(), docs: Type.String(), openapi: Type.String() }),
          },
        },
        config: { scope: 'public' },
      },
      async (request, reply) => {
        reply.header('vary', 'accept');
        const html = wantsHtml(request) ? page?.() : undefined;
        if (html !== undefined) {
          // The files that it names stay for ever; this must not, for the next release names others.
          reply.headers(PAGE_HEADERS).header('cache-control', 'no-cache').type('text/html; charset=utf-8');
          return reply.send(html as never);
        }
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
