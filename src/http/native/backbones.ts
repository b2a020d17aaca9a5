import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from '@sinclair/typebox';
import type { Operations } from '../../operations/operations.js';
import { PublicBackboneCard } from '../../schemas/backbones.js';

const Backbone = Type.Composite([
  PublicBackboneCard,
  Type.Object({
    default: Type.Boolean(),
    loaded: Type.Boolean({ description: 'Whether this server has it in memory' }),
    provider: Type.Union([Type.String(), Type.Null()], { description: 'What it runs on: cpu, cuda, webgpu' }),
    unavailable_providers: Type.Array(Type.String(), {
      description: 'What was tried before, and why it does not run there',
    }),
  }),
]);

export function backboneRoutes({ backbones }: Operations): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      '/backbones',
      {
        schema: {
          tags: ['Backbones'],
          summary: 'List the backbones that are installed',
          response: { 200: Type.Object({ data: Type.Array(Backbone), has_more: Type.Boolean() }) },
        },
      },
      () => backbones.list(),
    );
  };
}
