import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from '@sinclair/typebox';
import type { Operations } from '../../operations/operations.js';
import { ModelName, strict } from '../../schemas/common.js';
import { listOf, listQuery, pageOf } from '../../schemas/lists.js';
import { Model, ModelSummary } from '../../schemas/versions.js';
import type { DialectContext } from '../dialect.js';
import { linksOf } from './links.js';

const tags = ['Models'];
const Parameters = Type.Object({ model: ModelName });

export function modelRoutes({ models }: Operations, { config }: DialectContext): FastifyPluginAsyncTypebox {
  return async (app) => {
    const links = linksOf(app, config);

    app.get(
      '/models',
      {
        schema: {
          operationId: 'listModels',
          tags,
          summary: 'List models by name',
          description: 'Their aliases are told by each model itself.',
          querystring: listQuery(ModelName),
          response: { 200: listOf(ModelSummary) },
        },
        config: { scope: 'read' },
      },
      async ({ caller, query }) => {
        const { data, has_more } = await models.list({ caller, ...pageOf(query) });
        return { data: data.map((model) => ({ ...model, latest: links.version(model.latest) })), has_more };
      },
    );

    app.get(
      '/models/:model',
      {
        schema: {
          operationId: 'getModel',
          tags,
          summary: 'Show a model',
          params: Parameters,
          response: { 200: Model },
        },
        config: { scope: 'read' },
      },
      async ({ caller, params }) => {
        const model = await models.get({ caller, ...params });
        return { ...model, latest: links.version(model.latest) };
      },
    );

    app.delete(
      '/models/:model',
      {
        schema: {
          operationId: 'deleteModel',
          tags,
          summary: 'Delete a model with all its versions and aliases',
          description: 'One that an alias names is in use, perhaps: it is deleted with `force` only.',
          params: Parameters,
          querystring: Type.Object(
            { force: Type.Optional(Type.Boolean({ default: false, description: 'Also where aliases name it' })) },
            strict,
          ),
          response: { 204: Type.Null({ description: 'It is gone' }) },
        },
        config: { scope: 'admin' },
      },
      async ({ caller, params, query }, reply) => {
        await models.delete({ caller, ...params, ...query });
        return reply.status(204).send(null);
      },
    );
  };
}
