import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from '@sinclair/typebox';
import type { Operations } from '../../operations/operations.js';
import { AliasName, ModelName } from '../../schemas/common.js';
import { Alias, SetAlias } from '../../schemas/versions.js';

const tags = ['Models'];
const Parameters = Type.Object({ model: ModelName, alias: AliasName });

export function aliasRoutes({ aliases }: Operations): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.put(
      '/models/:model/aliases/:alias',
      {
        schema: {
          tags,
          summary: 'Point an alias at a version',
          description: 'Promote and roll back. With `expected`, only if nobody else has moved it meanwhile.',
          params: Parameters,
          body: SetAlias,
          response: { 200: Alias },
        },
      },
      ({ caller, params, body }) => aliases.set({ caller, ...params, ...body }),
    );

    app.delete(
      '/models/:model/aliases/:alias',
      { schema: { tags, summary: 'Remove an alias', params: Parameters, response: { 204: Type.Null() } } },
      async ({ caller, params }, reply) => {
        await aliases.delete({ caller, ...params });
        return reply.status(204).send(null);
      },
    );
  };
}
