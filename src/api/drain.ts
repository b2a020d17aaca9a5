import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** Whoever uses a kept connection within this time is answered on it, and told that it was the last time. */
const GRACE_MS = 500;
const CHECK_MS = 50;
/** A connection that has been accepted may bring its first request after so long a way. */
const UNUSED_MS = 1000;

/**
 * Make a server ready to be closed without cutting anybody off. A connection that is simply closed between two requests
 * resets the one that is under way to it, so each is first told, with an answer, that it will be closed (RFC 9112, 9.6).
 * @param server before it listens
 * @returns to be awaited before the server is closed. From its call on each answer closes its connection; it resolves
 *   when none is left, or after a short time. Connections without a request are ended from then on: those that clients
 *   opened in advance and never used, as browsers and `fetch` do, would hold up the end for a minute.
 */
export function drainable(server: Server): () => Promise<void> {
  const sockets = new Map<Socket, number>();
  const answering = new Set<ServerResponse>();
  let draining = false;
  server.on('connection', (socket: Socket) => {
    sockets.set(socket, performance.now());
    socket.once('close', () => sockets.delete(socket));
  });
  server.prependListener('request', (_request, response: ServerResponse) => {
    if (draining) return void response.setHeader('connection', 'close');
    answering.add(response);
    response.once('close', () => answering.delete(response));
  });
  const closeIdle = () => {
    server.closeIdleConnections();
    const now = performance.now();
    for (const [socket, since] of sockets) {
      if (socket.bytesRead === 0 && now - since > UNUSED_MS) socket.destroy();
    }
  };
  return async () => {
    draining = true;
    for (const response of answering) if (!response.headersSent) response.setHeader('connection', 'close');
    const until = performance.now() + GRACE_MS;
    while (sockets.size > 0 && performance.now() < until) await sleep(CHECK_MS);
    setInterval(closeIdle, CHECK_MS).unref();
    // Closing comes right after the sockets have been looked at: what waits to be accepted then is reset.
    await new Promise((resolve) => setImmediate(resolve));
  };
}
