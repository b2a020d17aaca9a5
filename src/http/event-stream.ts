import { once } from 'node:events';
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';

/** Proxies end a connection on which nothing is said for a minute. */
const KEEP_ALIVE_MS = 15_000;

/** Whether a client asks for events as a stream. */
export function wantsEventStream({ headers }: FastifyRequest): boolean {
  return headers.accept?.includes('text/event-stream') ?? false;
}

/** The last event that a client has seen: what it says on coming back, or else what its query says. */
export function lastEventSeen({ headers }: FastifyRequest, after: number | undefined): number {
  const last = Number(headers['last-event-id'] ?? after ?? 0);
  return Number.isSafeInteger(last) && last > 0 ? last : 0;
}

/** Send the headers of a stream of events. */
export function openEventStream(reply: FastifyReply): ServerResponse {
  reply.hijack();
  reply.raw.writeHead(200, {
    ...(reply.getHeaders() as OutgoingHttpHeaders),
    'content-type': 'text/event-stream',
    'x-accel-buffering': 'no',
  });
  return reply.raw;
}

/**
 * Answer with events as they come (`text/event-stream`), until there are no more. What fails on the way is logged: the
 * status has been sent. Undefined among the events is a sign of life, passed on from time to time.
 */
export async function sendEventStream(
  request: FastifyRequest,
  reply: FastifyReply,
  events: AsyncIterable<{ seq: number; type: string } | undefined>,
): Promise<void> {
  const raw = openEventStream(reply);
  raw.write('retry: 1000\n\n');
  let written = Date.now();
  try {
    for await (const event of events) {
      if (event === undefined && Date.now() - written < KEEP_ALIVE_MS) continue;
      written = Date.now();
      const room = raw.write(
        event ? `id: ${event.seq}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n` : ': still here\n\n',
      );
      if (!room) await Promise.race([once(raw, 'drain'), once(raw, 'close')]);
    }
  } catch (error) {
    request.log.warn({ err: error }, 'an event stream broke off');
  }
  raw.end();
}
