import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/**
 * Watch a server's connections, so that it can be closed as soon as the last request is answered. Node ends the idle
 * ones once, when closing begins; those whose request ends later, and those that clients opened in advance and never
 * used, as browsers and `fetch` do, would hold it up for a minute.
 * @returns ends all connections without a request; to be called again and again while the server closes.
 */
export function watchConnections(server: Server): () => void {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  return () => {
    server.closeIdleConnections();
    for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
  };
}
