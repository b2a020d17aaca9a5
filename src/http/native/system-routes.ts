import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from '@sinclair/typebox';
import { BackboneCard } from '../../schemas/backbones.js';
import type { ApiDependencies } from '../dependencies.js';

const Ready = Type.Object({
  ready: Type.Boolean(),
  checks: Type.Record(Type.String(), Type.String(), { description: '`ok`, or what is wrong' }),
});
const Backbone = Type.Composite([
  Type.Omit(BackboneCard, ['file', 'maps']),
  Type.Object({
    default: Type.Boolean(),
    loaded: Type.Boolean({ description: 'Whether this server has it in memory' }),
    provider: Type.Union([Type.String(), Type.Null()], { description: 'What it runs on: cpu, cuda, webgpu' }),
    unavailable_providers: Type.Array(Type.String(), {
      description: 'What was tried before, and why it does not run there',
    }),
  }),
]);

/** Reachable without a key: for load balancers and orchestrators. */
export function healthRoutes({ queue, backbones, config }: ApiDependencies): FastifyPluginAsyncTypebox {
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
        const [backbone, policy] = await Promise.all([
          backbones.load(config.DEFAULT_BACKBONE).then(
            () => 'ok',
            (error: Error) => {
              request.log.error({ err: error }, 'the default backbone does not load');
              return 'does not load; the log says why';
            },
          ),
          queue.evictionPolicy().catch(() => 'away'),
        ]);
        const redis =
          policy === 'noeviction'
            ? 'ok'
            : policy === 'away'
              ? 'does not answer: no new jobs'
              : `maxmemory-policy is ${policy}; it must be noeviction, or jobs may be lost`;
        const ready = backbone === 'ok' && (policy === 'noeviction' || policy === 'away');
        return reply.status(ready ? 200 : 503).send({ ready, checks: { backbone, redis } });
      },
    );
  };
}

export function backboneRoutes({ backbones, config }: ApiDependencies): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      '/v1/backbones',
      {
        schema: {
          tags: ['Backbones'],
          summary: 'List the backbones that are installed',
          response: { 200: Type.Object({ data: Type.Array(Backbone), has_more: Type.Boolean() }) },
        },
      },
      async () => ({
        data: (await backbones.list()).map((card) => ({
          ...card,
          default: card.id === config.DEFAULT_BACKBONE,
          loaded: backbones.loaded(card) !== undefined,
          provider: backbones.loaded(card)?.provider ?? null,
          unavailable_providers: backbones.loaded(card)?.unavailableProviders ?? [],
        })),
        has_more: false,
      }),
    );
  };
}

export function metricsRoute({ metrics }: ApiDependencies): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      '/metrics',
      { schema: { tags: ['Service'], summary: 'Metrics for Prometheus', produces: ['text/plain'] } },
      async (_request, reply) => reply.type(metrics.registry.contentType).send(await metrics.registry.metrics()),
    );
  };
}
