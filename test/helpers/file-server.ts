/** A web server on a free loopback port that hands out one file, well or badly. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Test } from 'tap';

export interface FileServer {
  url: string;
  /** What was asked, in order: path, and range if there was one. */
  requests: string[];
  /** Break the connections that are open. Called when the client has told of bytes, so that none of them is lost. */
  cut(): void;
}

/** How a request is answered; `send` answers it well. The number counts requests from 0. */
export type Answer = (context: {
  request: IncomingMessage;
  response: ServerResponse;
  number: number;
  send: (options?: { ranges?: boolean; stallAfter?: number }) => void;
}) => void;

export async function serveFile(t: Test, body: Uint8Array, answer: Answer = ({ send }) => send()): Promise<FileServer> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    const { range } = request.headers;
    const number = requests.push([request.url, range].filter(Boolean).join(' ')) - 1;
    answer({
      request,
      response,
      number,
      send({ ranges = true, stallAfter } = {}) {
        const start = ranges ? Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0) : 0;
        const piece = body.subarray(start);
        response.writeHead(start > 0 ? 206 : 200, {
          'content-length': piece.length,
          ...(start > 0 && { 'content-range': `bytes ${start}-${body.length - 1}/${body.length}` }),
        });
        if (stallAfter === undefined) response.end(piece);
        else response.write(piece.subarray(0, stallAfter));
      },
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url: `http://${host}`, requests, cut: () => server.closeAllConnections() };
}

/** The address of a port where nobody listens. */
export async function closedPort(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `http://127.0.0.1:${port}`;
}
