import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from '@sinclair/typebox';
import type { Operations } from '../../operations/operations.js';
import { DatasetId, JobId, ModelName, strict } from '../../schemas/common.js';
import { Job, JobKind, JobOfTenant, JobStatus } from '../../schemas/jobs.js';
import { listOf, listQuery, pageOf } from '../../schemas/lists.js';
import type { DialectContext } from '../dialect.js';
import { linksOf } from './links.js';

const Parameters = Type.Object({ id: JobId });
const Query = Type.Object(
  {
    ...listQuery(JobId).properties,
    status: Type.Optional(JobStatus),
    kind: Type.Optional(JobKind),
    model: Type.Optional(ModelName),
    dataset: Type.Optional(DatasetId),
  },
  strict,
);

const AllQuery = Type.Object({ ...listQuery(JobId).properties, status: Type.Optional(JobStatus) }, strict);

export function jobRoutes({ jobs }: Operations, { config }: DialectContext): FastifyPluginAsyncTypebox {
  return async (app) => {
    const links = linksOf(app, config);

    app.get(
      '/jobs',
      {
        schema: {
          operationId: 'listJobs',
          tags: ['Jobs'],
          summary: 'List jobs, newest first',
          description: 'All, or those with a status, of a kind, of a model, on a data set.',
          querystring: Query,
          response: { 200: listOf(Job) },
        },
        config: { scope: 'read' },
      },
      async ({ caller, query }) => {
        const { limit: _limit, after: _after, ...filter } = query;
        const { data, has_more } = await jobs.list({ caller, ...pageOf(query), ...filter });
        return { data: data.map(links.job), has_more };
      },
    );

    app.get(
      '/service/jobs',
      {
        schema: {
          operationId: 'listAllJobs',
          tags: ['Service'],
          summary: 'List jobs of all tenants, newest first',
          querystring: AllQuery,
          response: { 200: listOf(JobOfTenant) },
        },
        config: { scope: 'operator' },
      },
      ({ caller, query: { status, ...query } }) => jobs.listAll({ caller, ...pageOf(query), status }),
    );

    app.get(
      '/jobs/:id',
      {
        schema: {
          operationId: 'getJob',
          tags: ['Jobs'],
          summary: 'Show a job',
          params: Parameters,
          response: { 200: Job },
        },
        config: { scope: 'read' },
      },
      async ({ caller, params }) => links.job(await jobs.get({ caller, ...params })),
    );

    app.post(
      '/jobs/:id/cancel',
      {
        schema: {
          operationId: 'cancelJob',
          tags: ['Jobs'],
          summary: 'Cancel a job',
          description: 'A waiting job ends at once, a running one within seconds; follow its status.',
          params: Parameters,
          response: { 202: Job },
        },
        config: { scope: 'train' },
      },
      async ({ caller, params }, reply) => reply.status(202).send(links.job(await jobs.cancel({ caller, ...params }))),
    );
  };
}
