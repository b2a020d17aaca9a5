import { PassThrough, type Readable } from 'node:stream';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { FastifyInstance, FastifyRequest } from 'fastify';

export interface DropLimits {
  /** Most bytes that are read of a body after its answer. */
  maxBytes: number;
  /** Longest time for it. */
  maxMs: number;
}

const WATCH_MS = 50;

/** Requests whose client waits for `100 Continue` before it sends the body. */
const waiting = new WeakMap<IncomingMessage, ServerResponse>();

/**
 * Let refusals arrive. Many clients read no answer before they have sent their whole body: where the connection is closed
 * first, they see it broken and never the reason. So what is left of a body is read on and dropped, within limits, and the
 * connection stays. A client that asks before it sends is answered from the headers alone.
 */
export function dropRefusedBodies(app: FastifyInstance, limits: DropLimits): void {
  app.server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    waiting.set(request, response);
    app.server.emit('request', request, response);
  });
  app.addHook('onRequest', async (request, reply) => {
    const { raw } = request;
    if (!(raw.socket instanceof Socket)) return; // given by hand
    reply.raw.once('finish', () => {
      if (raw.complete) return;
      // It never began to send, and would wait for ever.
      if (waiting.delete(raw)) raw.socket.destroySoon();
      else drop(raw, limits);
    });
  });
  app.addHook('preParsing', async (request) => {
    // Bodies that routes read themselves begin when they are read.
    if (!request.routeOptions.config.body) beginBody(request);
  });
}

/** Tell a client that waits for it to send its body. */
export function beginBody({ raw }: FastifyRequest): void {
  waiting.get(raw)?.writeContinue();
  waiting.delete(raw);
}

/** The body of a request, to be read or given up: the rest of one that was given up is dropped after the answer. */
export function receiveBody(request: FastifyRequest): Readable {
  const { raw } = request;
  beginBody(request);
  const body = new PassThrough();
  const broken = () => {
    if (!raw.complete) body.destroy(Object.assign(new Error('The body broke off.'), { code: 'ECONNRESET' }));
  };
  raw.once('error', (error) => body.destroy(error)).once('close', broken);
  body.on('error', () => undefined); // whoever reads it hears of it; where nobody does any more, nobody needs to
  body.once('close', () => raw.removeListener('close', broken));
  raw.pipe(body);
  return body;
}

/** Node reads on by itself and tells nobody of it: the connection is watched. */
function drop(raw: IncomingMessage, { maxBytes, maxMs }: DropLimits): void {
  const { socket } = raw;
  const [read, since] = [socket.bytesRead, performance.now()];
  raw.unpipe();
  raw.resume();
  const watching = setInterval(() => {
    const ended = raw.complete || socket.destroyed;
    const tooMuch = socket.bytesRead - read > maxBytes || performance.now() - since > maxMs;
    if (ended || tooMuch) clearInterval(watching);
    if (!ended && tooMuch) socket.destroy();
  }, WATCH_MS).unref();
}
