import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Whoever uses a kept connection within this time is answered on it, and told that it was the last time. */
const GRACE_MS = 500;
const CHECK_MS = 50;
/** A connection that has been accepted may bring its first request after so long a way. */
const UNUSED_MS = 1000;

/**
 * Let a server be closed without cutting anybody off. A connection that is simply closed between two requests resets the
 * one that is under way to it, so each is first told, with an answer, that it will be closed (RFC 9112, 9.6).
 * @param server before it listens
 * @returns to be called when the server is closed. From then on each answer closes its connection. After a short time
 *   connections without a request are ended: those that clients opened in advance and never used, as browsers and `fetch`
 *   do, would hold up the end for a minute.
 */
export function drainable(server: Server): () => void {
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
  const closeIdle = server.closeIdleConnections.bind(server);
  // Node would call it as soon as closing begins.
  server.closeIdleConnections = () => undefined;
  return () => {
    draining = true;
    for (const response of answering) if (!response.headersSent) response.setHeader('connection', 'close');
    const since = performance.now();
    setInterval(() => {
      const now = performance.now();
      if (now - since > GRACE_MS) closeIdle();
      for (const [socket, opened] of sockets) {
        if (socket.bytesRead === 0 && now - opened > UNUSED_MS) socket.destroy();
      }
    }, CHECK_MS).unref();
  };
}
