import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from '@sinclair/typebox';
import type { Operations } from '../../operations/operations.js';
import { JobId, strict } from '../../schemas/common.js';
import { JobEvent } from '../../schemas/jobs.js';
import { listOf } from '../../schemas/lists.js';
import { clientLeft } from '../client-signal.js';
import type { DialectContext } from '../dialect.js';
import { lastEventSeen, sendEventStream, wantsEventStream } from '../event-stream.js';

const Query = Type.Object(
  { after: Type.Optional(Type.Integer({ minimum: 0, description: 'Only events with a higher `seq`' })) },
  strict,
);

export function eventRoutes({ jobs }: Operations, { closing }: DialectContext): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      '/jobs/:id/events',
      {
        schema: {
          tags: ['Jobs'],
          summary: 'Events of a job',
          description:
            'A JSON list, or with `Accept: text/event-stream` a stream that ends when the job does and goes on after `Last-Event-ID`.',
          params: Type.Object({ id: JobId }),
          querystring: Query,
          response: { 200: listOf(JobEvent) },
        },
      },
      async (request, reply) => {
        const { caller, params, query } = request;
        if (!wantsEventStream(request)) {
          return { data: await jobs.events({ caller, ...params, ...query }), has_more: false };
        }
        const signal = AbortSignal.any([clientLeft(reply), closing]);
        const after = lastEventSeen(request, query.after);
        await sendEventStream(request, reply, await jobs.follow({ caller, ...params, after, signal }));
      },
    );
  };
}
