import { Socket } from 'node:net';
import type { FastifyInstance, FastifyRequest } from 'fastify';

/**
 * Give up on a request whose body stands still: without this a body of one byte a minute may hold its connection as long
 * as the largest upload may take. What happens after the last byte takes as long as it takes.
 * @param refuse answers on the bare socket and closes it
 */
export function limitStalls(
  app: FastifyInstance,
  ms: number,
  refuse: (socket: Socket, request: FastifyRequest) => void,
): void {
  app.addHook('onRequest', async (request, reply) => {
    const { raw } = request;
    if (raw.complete || raw.headers['content-length'] === '0') return;
    if (raw.headers['content-length'] === undefined && raw.headers['transfer-encoding'] === undefined) return;
    const { socket } = raw;
    if (!(socket instanceof Socket)) return; // given by hand: there is no connection that could stand still
    // On the request: what nobody there takes care of, Node ends without a word.
    raw.setTimeout(ms, () => {
      if (!raw.complete && !reply.raw.headersSent) refuse(socket, request);
      else socket.destroy();
    });
    const done = () => {
      raw.removeAllListeners('timeout');
      socket.setTimeout(0);
    };
    raw.once('end', done).once('close', done);
  });
}
