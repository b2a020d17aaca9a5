import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from '@sinclair/typebox';
import type { Operations } from '../../operations/operations.js';
import { AliasName, ModelName } from '../../schemas/common.js';
import { Alias, SetAlias } from '../../schemas/versions.js';
import { readJsonBody } from '../bodies.js';
import type { DialectContext } from '../dialect.js';
import { compileCheck } from '../validation.js';

const tags = ['Models'];
const Parameters = Type.Object({ model: ModelName, alias: AliasName });
const checkSetAlias = compileCheck(SetAlias);

export function aliasRoutes({ aliases }: Operations, { config }: DialectContext): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.put(
      '/models/:model/aliases/:alias',
      {
        schema: {
          operationId: 'setAlias',
          tags,
          summary: 'Point an alias at a version',
          description: 'Promote and roll back. With `expected`, only if nobody else has moved it meanwhile.',
          params: Parameters,
          response: { 200: Alias },
        },
        config: { scope: 'admin', body: { 'application/json': { schema: SetAlias, example: { version: 1 } } } },
      },
      async (request) => {
        const body = checkSetAlias(await readJsonBody(request, config.MAX_JSON_BYTES, 'MAX_JSON_BYTES'), 'body');
        return aliases.set({ caller: request.caller, ...request.params, ...body });
      },
    );

    app.delete(
      '/models/:model/aliases/:alias',
      {
        schema: {
          operationId: 'deleteAlias',
          tags,
          summary: 'Remove an alias',
          params: Parameters,
          response: { 204: Type.Null({ description: 'It is gone' }) },
        },
        config: { scope: 'admin' },
      },
      async ({ caller, params }, reply) => {
        await aliases.delete({ caller, ...params });
        return reply.status(204).send(null);
      },
    );
  };
}
