import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { Operations } from '../../operations/operations.js';
import { ServedBackbone } from '../../schemas/backbones.js';
import { listOf } from '../../schemas/lists.js';

export function backboneRoutes({ backbones }: Operations): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      '/backbones',
      {
        schema: {
          operationId: 'listBackbones',
          tags: ['Backbones'],
          summary: 'List the backbones that are installed',
          response: { 200: listOf(ServedBackbone) },
        },
        config: { scope: 'read' },
      },
      () => backbones.list() as never,
    );
  };
}
