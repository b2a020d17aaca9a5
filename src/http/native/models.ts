import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from '@sinclair/typebox';
import type { Operations } from '../../operations/operations.js';
import { ModelName } from '../../schemas/common.js';
import { ListQuery, listOf } from '../../schemas/lists.js';
import { Model, ModelSummary } from '../../schemas/versions.js';

const tags = ['Models'];
const Parameters = Type.Object({ model: ModelName });

export function modelRoutes({ models }: Operations): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      '/models',
      {
        schema: {
          tags,
          summary: 'List models by name',
          description: 'Their aliases are told by each model itself.',
          querystring: ListQuery,
          response: { 200: listOf(ModelSummary) },
        },
      },
      ({ caller, query }) => models.list({ caller, ...query }),
    );

    app.get(
      '/models/:model',
      { schema: { tags, summary: 'Show a model', params: Parameters, response: { 200: Model } } },
      ({ caller, params }) => models.get({ caller, ...params }),
    );

    app.delete(
      '/models/:model',
      {
        schema: {
          tags,
          summary: 'Delete a model with all its versions and aliases',
          params: Parameters,
          response: { 204: Type.Null() },
        },
      },
      async ({ caller, params }, reply) => {
        await models.delete({ caller, ...params });
        return reply.status(204).send(null);
      },
    );
  };
}
