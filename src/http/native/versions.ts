import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from '@sinclair/typebox';
import { AppError } from '../../errors.js';
import type { Operations } from '../../operations/operations.js';
import { ModelName, strict, VersionNumber } from '../../schemas/common.js';
import { ListQuery, listOf } from '../../schemas/lists.js';
import { HeldOutPrediction } from '../../schemas/predictions.js';
import { VersionManifest } from '../../schemas/versions.js';

const tags = ['Models'];
const Parameters = Type.Object({ model: ModelName, version: VersionNumber });

export function versionRoutes({ versions }: Operations): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      '/models/:model/versions',
      {
        schema: {
          tags,
          summary: 'List versions, newest first',
          params: Type.Object({ model: ModelName }),
          querystring: ListQuery,
          response: { 200: listOf(VersionManifest) },
        },
      },
      ({ caller, params, query: { limit, after } }) =>
        versions.list({ caller, ...params, limit, after: after === undefined ? undefined : versionNumber(after) }),
    );

    app.get(
      '/models/:model/versions/:version',
      { schema: { tags, summary: 'Show a version', params: Parameters, response: { 200: VersionManifest } } },
      ({ caller, params }) => versions.get({ caller, ...params }),
    );

    app.get(
      '/models/:model/versions/:version/predictions',
      {
        schema: {
          tags,
          summary: 'What a version said of examples that it had not seen',
          description:
            'Of the test part; without one, of the examples that chose its settings, out of fold where it was cross-validated: `evaluation.on` of the report says which. Sorted by digest: `after` is the last one seen. Empty where nothing could be held out.',
          params: Parameters,
          querystring: Type.Object(
            {
              label: Type.Optional(Type.String({ description: 'Only examples that have this label' })),
              predicted: Type.Optional(Type.String({ description: 'Only examples that were given this label' })),
              wrong: Type.Optional(
                Type.Boolean({ description: 'true: only mistakes; false: only what was right; default: both' }),
              ),
              ...ListQuery.properties,
            },
            strict,
          ),
          response: { 200: listOf(HeldOutPrediction) },
        },
      },
      ({ caller, params, query }) => versions.predictions({ caller, ...params, ...query }),
    );

    app.delete(
      '/models/:model/versions/:version',
      {
        schema: {
          tags,
          summary: 'Delete a version; its number is not used again',
          params: Parameters,
          response: { 204: Type.Null() },
        },
      },
      async ({ caller, params }, reply) => {
        await versions.delete({ caller, ...params });
        return reply.status(204).send(null);
      },
    );
  };
}

/** Rows of every list go on after a text; here it is a number. */
function versionNumber(after: string): number {
  const number = Number(after);
  if (!Number.isNaN(number)) return number;
  throw new AppError('invalid_request', 'querystring: after must be a version number.');
}
