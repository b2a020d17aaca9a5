import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from '@sinclair/typebox';
import type { Operations } from '../../operations/operations.js';
import { JobId } from '../../schemas/common.js';
import { Job } from '../../schemas/jobs.js';
import { ListQuery, listOf } from '../../schemas/lists.js';
import { takeRawBodies } from '../bodies.js';

const Parameters = Type.Object({ id: JobId });

export function jobRoutes({ jobs }: Operations): FastifyPluginAsyncTypebox {
  return async (app) => {
    takeRawBodies(app);

    app.get(
      '/jobs',
      {
        schema: {
          tags: ['Jobs'],
          summary: 'List jobs, newest first',
          querystring: ListQuery,
          response: { 200: listOf(Job) },
        },
      },
      ({ caller, query }) => jobs.list({ caller, ...query }),
    );

    app.get(
      '/jobs/:id',
      { schema: { tags: ['Jobs'], summary: 'Show a job', params: Parameters, response: { 200: Job } } },
      ({ caller, params }) => jobs.get({ caller, ...params }),
    );

    app.post(
      '/jobs/:id/cancel',
      {
        schema: {
          tags: ['Jobs'],
          summary: 'Cancel a job',
          description: 'A waiting job ends at once, a running one within seconds; follow its status.',
          params: Parameters,
          response: { 202: Job },
        },
      },
      async ({ caller, params, raw }, reply) => {
        raw.resume();
        return reply.status(202).send(await jobs.cancel({ caller, ...params }));
      },
    );
  };
}
