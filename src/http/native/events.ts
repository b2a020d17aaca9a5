import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from '@sinclair/typebox';
import type { Operations } from '../../operations/operations.js';
import { JobId, strict } from '../../schemas/common.js';
import { JobEvent } from '../../schemas/jobs.js';
import { listOf } from '../../schemas/lists.js';
import { clientLeft } from '../client-signal.js';
import type { DialectContext } from '../dialect.js';
import { lastEventSeen, openEventStream, sendEventStream, wantsEventStream } from '../event-stream.js';

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
          operationId: 'listJobEvents',
          tags: ['Jobs'],
          summary: 'Events of a job',
          description:
            'A JSON list, or with `Accept: text/event-stream` a stream that ends when the job does and goes on after `Last-Event-ID`. A client that has seen the end is answered 204, so that it does not come back.',
          params: Type.Object({ id: JobId }),
          querystring: Query,
          response: { 200: listOf(JobEvent), 204: Type.Null({ description: 'The job has ended, and all was seen' }) },
        },
        config: { scope: 'read', streams: 'text/event-stream' },
      },
      async (request, reply) => {
        const { caller, params, query } = request;
        if (!wantsEventStream(request)) {
          return { data: await jobs.events({ caller, ...params, ...query }), has_more: false };
        }
        const after = lastEventSeen(request, query.after);
        if (after > 0 && (await jobs.hasEnded({ caller, ...params, after }))) return reply.status(204).send(null);
        if (request.method === 'HEAD') {
          await jobs.get({ caller, ...params });
          openEventStream(reply).end();
          return;
        }
        const signal = AbortSignal.any([clientLeft(reply), closing]);
        await sendEventStream(request, reply, await jobs.follow({ caller, ...params, after, signal }));
      },
    );
  };
}
