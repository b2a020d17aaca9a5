import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from '@sinclair/typebox';
import type { Operations } from '../../operations/operations.js';
import { ModelName, Sha256, strict, VersionNumber } from '../../schemas/common.js';
import { listOf, listQuery, pageOf } from '../../schemas/lists.js';
import { HeldOutPrediction } from '../../schemas/predictions.js';
import { VersionManifest } from '../../schemas/versions.js';
import type { DialectContext } from '../dialect.js';
import { linksOf } from './links.js';

const tags = ['Models'];
const Parameters = Type.Object({ model: ModelName, version: VersionNumber });

export function versionRoutes({ versions }: Operations, { config }: DialectContext): FastifyPluginAsyncTypebox {
  return async (app) => {
    const links = linksOf(app, config);

    app.get(
      '/models/:model/versions',
      {
        schema: {
          operationId: 'listVersions',
          tags,
          summary: 'List versions, newest first',
          params: Type.Object({ model: ModelName }),
          querystring: listQuery(Type.String({ pattern: '^[0-9]{1,10}$', description: 'its number' })),
          response: { 200: listOf(VersionManifest) },
        },
        config: { scope: 'read' },
      },
      async ({ caller, params, query }) => {
        const { limit, after } = pageOf(query);
        const page = { limit, after: after === undefined ? undefined : Number(after) };
        const { data, has_more } = await versions.list({ caller, ...params, ...page });
        return { data: data.map(links.version), has_more };
      },
    );

    app.get(
      '/models/:model/versions/:version',
      {
        schema: {
          operationId: 'getVersion',
          tags,
          summary: 'Show a version',
          params: Parameters,
          response: { 200: VersionManifest },
        },
        config: { scope: 'read' },
      },
      async ({ caller, params }) => links.version(await versions.get({ caller, ...params })),
    );

    app.get(
      '/models/:model/versions/:version/predictions',
      {
        schema: {
          operationId: 'listHeldOutPredictions',
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
              ...listQuery(Sha256).properties,
            },
            strict,
          ),
          response: { 200: listOf(HeldOutPrediction) },
        },
        config: { scope: 'read' },
      },
      ({ caller, params, query }) => versions.predictions({ caller, ...params, ...query, ...pageOf(query) }),
    );

    app.delete(
      '/models/:model/versions/:version',
      {
        schema: {
          operationId: 'deleteVersion',
          tags,
          summary: 'Delete a version; its number is not used again',
          params: Parameters,
          response: { 204: Type.Null({ description: 'It is gone' }) },
        },
        config: { scope: 'admin' },
      },
      async ({ caller, params }, reply) => {
        await versions.delete({ caller, ...params });
        return reply.status(204).send(null);
      },
    );
  };
}
