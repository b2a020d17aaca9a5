import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { AppError } from '../errors.js';
import type { Dialect } from './dialect.js';
import { renderProblem } from './problem.js';

/** Answer what is not even HTTP, or did not arrive in time: there is no request yet, only a socket. */
export function refuseConnection(maxHeaderBytes: number) {
  return (error: Error & { code?: string }, socket: Socket): void => {
    if (error.code === 'ECONNRESET') return;
    const refusal =
      error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? new AppError(
            'request_timeout',
            'The request took too long to arrive (HEADERS_TIMEOUT_SECONDS, REQUEST_TIMEOUT_SECONDS).',
          )
        : error.code === 'HPE_HEADER_OVERFLOW'
          ? new AppError(
              'too_large',
              `The headers of the request are larger than ${maxHeaderBytes} bytes (MAX_HEADER_BYTES).`,
            )
          : new AppError('invalid_request', 'This is not an HTTP request that is understood.');
    answerOnSocket(socket, refusal, renderProblem);
  };
}

/** Answer a request whose body stands still. */
export function refuseStalled(socket: Socket, render: Dialect['renderError']): void {
  const sentence = 'No byte of the body arrived for too long (STALL_TIMEOUT_SECONDS). Send it again.';
  answerOnSocket(socket, new AppError('request_timeout', sentence), render);
}

function answerOnSocket(socket: Socket, error: AppError, render: Dialect['renderError']): void {
  if (socket.destroyed) return;
  const requestId = randomUUID();
  const { status, headers, type, body } = render(error, requestId);
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    `content-type: ${type}`,
    `content-length: ${Buffer.byteLength(body)}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    `x-request-id: ${requestId}`,
    'x-content-type-options: nosniff',
    'cache-control: no-store',
    'connection: close',
  ];
  if (socket.writable) socket.write(`${head.join('\r\n')}\r\n\r\n${body}`);
  socket.destroySoon();
}
