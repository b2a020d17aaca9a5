/**
 * api/ speaks HTTP: schemas, routes, errors, OpenAPI. Routes only translate; what they need comes in as `ApiDependencies`.
 *
 * This file: errors as `application/problem+json` (RFC 9457).
 */
import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { Type } from '@sinclair/typebox';
import type { ErrorObject } from 'ajv';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { AppError, ERRORS, type ErrorCode } from '../errors.js';

export const Problem = Type.Object(
  {
    type: Type.String({ description: '`urn:graft:error:` and the code' }),
    title: Type.String(),
    status: Type.Integer(),
    code: Type.String({ description: 'Stable; for programs', enum: Object.keys(ERRORS) }),
    detail: Type.String({ description: 'What was wrong, where, and what to do' }),
    request_id: Type.String(),
  },
  { $id: 'Problem', additionalProperties: true, title: 'Problem' },
);

/** Answer every error of the app as a problem; what is not an `AppError` is logged and masked. */
export function handleErrors(app: FastifyInstance): void {
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const known = translate(error);
    if (known.status >= 500) request.log.error({ err: error }, known.message);
    return sendProblem(request, reply, known);
  });
  const routes: { pattern: RegExp; methods: string[] }[] = [];
  app.addHook('onRoute', ({ url, method }) => {
    const pattern = url
      .replace(/[.+?^${}()|[\]\\]/g, '\\$&')
      .replace(/:\w+/g, '[^/]+')
      .replace(/\*/g, '.*');
    if (url !== '*') routes.push({ pattern: new RegExp(`^${pattern}$`), methods: [method].flat() });
  });
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?')[0]!;
    const methods = new Set(routes.filter(({ pattern }) => pattern.test(path)).flatMap((route) => route.methods));
    if (methods.size > 0) {
      const allow = [...methods].sort().join(', ');
      reply.header('allow', allow);
      const detail = `${path} does not take ${request.method}; it takes ${allow}.`;
      return sendProblem(request, reply, new AppError('method_not_allowed', detail));
    }
    return sendProblem(
      request,
      reply,
      new AppError('not_found', `There is no ${request.method} ${path}. The routes are listed at /docs.`),
    );
  });
}

/** Answers that say when to try again. */
const TRY_AGAIN = new Set<ErrorCode>(['overloaded', 'queue_unavailable', 'rate_limited', 'too_many_jobs']);

export function sendProblem(request: FastifyRequest, reply: FastifyReply, error: AppError): FastifyReply {
  if (TRY_AGAIN.has(error.code)) reply.header('retry-after', String(error.details.retry_after ?? 1));
  if (error.code === 'unauthorized') reply.header('www-authenticate', 'Bearer');
  // Of an upload that was refused early the rest is not read: the connection cannot be used again.
  if (!request.raw.complete && request.raw.headers['content-length'] !== '0') reply.header('connection', 'close');
  return reply
    .status(error.status)
    .type('application/problem+json')
    .serializer(JSON.stringify)
    .send(problemOf(error, request.id));
}

/** The members of a problem; the details never take the place of the standard ones. */
function problemOf(error: AppError, requestId: string): Record<string, unknown> {
  return {
    ...error.details,
    type: `urn:graft:error:${error.code}`,
    title: ERRORS[error.code].title,
    status: error.status,
    code: error.code,
    detail: error.message,
    request_id: requestId,
  };
}

/** Codes of Fastify and its plug-ins that are the client's doing. */
const FOREIGN: Record<string, [ErrorCode, string]> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ['unsupported_media_type', 'This Content-Type is not understood here.'],
  FST_ERR_CTP_EMPTY_JSON_BODY: ['invalid_json', 'The body is empty where JSON was expected.'],
  FST_ERR_CTP_INVALID_JSON_BODY: ['invalid_json', 'The body is not valid JSON.'],
  FST_ERR_CTP_BODY_TOO_LARGE: ['too_large', 'The body is too large.'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ['invalid_request', 'Content-Length does not match the body.'],
  FST_REQ_FILE_TOO_LARGE: ['too_large', 'A file of the form is too large.'],
  FST_PARTS_LIMIT: ['invalid_multipart', 'The form has too many parts.'],
  FST_FILES_LIMIT: ['invalid_multipart', 'The form has too many files.'],
  FST_FIELDS_LIMIT: ['invalid_multipart', 'The form has too many fields.'],
  FST_PROTO_VIOLATION: ['invalid_multipart', 'A field of the form has a name that is not allowed.'],
  FST_INVALID_MULTIPART_CONTENT_TYPE: ['unsupported_media_type', 'A multipart form was expected.'],
  FST_ERR_BAD_URL: ['invalid_request', 'The URL is not valid.'],
  FST_ERR_MAX_PARAM_LENGTH: ['invalid_request', 'A part of the URL is too long.'],
};

/** What Fastify refuses before any hook or handler runs: a URL that cannot be read. */
export function refuseUrl(error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  sendProblem(request, reply.header('x-request-id', request.id), translate(error));
}

/** Answer what is not even HTTP, or did not arrive in time: there is no request yet, only a socket. */
export function refuseConnection(maxHeaderBytes: number) {
  return (error: Error & { code?: string }, socket: Socket): void => {
    if (error.code === 'ECONNRESET') return;
    const problem =
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
    answerOnSocket(socket, problem);
  };
}

/** Answer a request whose body stands still. */
export function refuseStalled(socket: Socket): void {
  const sentence = 'No byte of the body arrived for too long (STALL_TIMEOUT_SECONDS). Send it again.';
  answerOnSocket(socket, new AppError('request_timeout', sentence));
}

function answerOnSocket(socket: Socket, problem: AppError): void {
  if (socket.destroyed) return;
  const requestId = randomUUID();
  const body = JSON.stringify(problemOf(problem, requestId));
  const head = [
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}`,
    'content-type: application/problem+json',
    `content-length: ${Buffer.byteLength(body)}`,
    `x-request-id: ${requestId}`,
    'x-content-type-options: nosniff',
    'cache-control: no-store',
    'connection: close',
  ];
  if (socket.writable) socket.write(`${head.join('\r\n')}\r\n\r\n${body}`);
  socket.destroySoon();
}

function translate(error: FastifyError): AppError {
  if (error instanceof AppError) return error;
  if (error.validation) return invalid(error.validation as ErrorObject[], error.validationContext ?? 'request');
  if (error.code === 'ECONNRESET' || error.code === 'ERR_STREAM_PREMATURE_CLOSE') {
    return new AppError('client_closed_request', 'The client left before its request was complete.', { cause: error });
  }
  const foreign = FOREIGN[error.code];
  if (foreign) return new AppError(foreign[0], foreign[1], { cause: error });
  if (
    /boundary|multipart|unexpected end of form/i.test(error.message) &&
    !(error.statusCode && error.statusCode >= 500)
  ) {
    return new AppError('invalid_multipart', 'The multipart body is broken off or has no boundary.', { cause: error });
  }
  if (error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500) {
    const json = error.name === 'SyntaxError' || /JSON/.test(error.message);
    return new AppError(
      json ? 'invalid_json' : 'invalid_request',
      json ? 'The body is not valid JSON.' : error.message,
    );
  }
  return new AppError('internal', 'Something went wrong here. It was logged under this request id.', { cause: error });
}

/** A body of a megabyte can hold a hundred thousand faults; an answer names the first. */
const MAX_FAULTS = 50;

/** One sentence for all faults of a request, and each by itself in `errors`. */
export function invalid(errors: ErrorObject[], where: string): AppError {
  const faults = new Map<string, string>();
  const branched = errors.filter(({ keyword }) => keyword === 'anyOf').map(({ instancePath }) => instancePath);
  const isInside = (error: ErrorObject, path: string) =>
    error.instancePath.startsWith(`${path}/`) ||
    (error.instancePath === path && error.keyword === 'additionalProperties');
  // The branches of an anyOf each complain. A fault inside of one of them says most; else the anyOf says what is allowed.
  const explained = new Set(branched.filter((path) => errors.some((error) => isInside(error, path))));
  for (const error of errors) {
    const { instancePath, keyword } = error;
    const says = branched
      .filter((path) => instancePath === path || instancePath.startsWith(`${path}/`))
      .every((path) => (explained.has(path) ? isInside(error, path) : keyword === 'anyOf'));
    if (says) faults.set(pathOf(error), wordsOf(error));
  }
  const all = [...faults].map(([path, reason]) => ({ path: path || where, reason }));
  const list = all.slice(0, MAX_FAULTS);
  if (all.length > list.length) list.push({ path: where, reason: `has ${all.length - list.length} more faults` });
  const sentence = list.map(({ path, reason }) => `${path} ${reason}`).join('; ');
  return new AppError('invalid_request', `${where}: ${sentence}.`, { details: { errors: list } });
}

function pathOf({ instancePath, keyword, params }: ErrorObject): string {
  const path = instancePath.slice(1).replaceAll('/', '.');
  const extra = keyword === 'required' ? params.missingProperty : params.additionalProperty;
  return [path, extra].filter((part) => part !== undefined && part !== '').join('.');
}

interface Shape {
  const?: unknown;
  enum?: unknown[];
  type?: string;
  anyOf?: Shape[];
  minimum?: number;
  exclusiveMinimum?: number;
  maximum?: number;
  description?: string;
}

function wordsOf({ keyword, params, message, parentSchema }: ErrorObject): string {
  switch (keyword) {
    case 'required':
      return 'is missing';
    case 'additionalProperties':
      return 'is not known here';
    case 'enum':
      return `must be one of ${params.allowedValues.map((value: unknown) => JSON.stringify(value)).join(', ')}`;
    case 'anyOf':
      return `must be ${shapeWords(parentSchema as Shape)}`;
    case 'pattern': {
      const { description } = parentSchema as Shape;
      return description ? `is not valid (${description})` : (message ?? 'is not valid');
    }
    default:
      return message ?? 'is not valid';
  }
}

function shapeWords(shape: Shape): string {
  if (shape.anyOf) return shape.anyOf.map(shapeWords).join(' or ');
  if (shape.const !== undefined) return JSON.stringify(shape.const);
  if (shape.enum) return shape.enum.map((value) => JSON.stringify(value)).join(' or ');
  const from = shape.minimum !== undefined && `from ${shape.minimum}`;
  const range = [
    from || (shape.exclusiveMinimum !== undefined && `above ${shape.exclusiveMinimum}`),
    shape.maximum !== undefined && `to ${shape.maximum}`,
  ];
  return [
    shape.type === 'integer'
      ? 'a whole number'
      : `${shape.type === 'object' || shape.type === 'array' ? 'an' : 'a'} ${shape.type}`,
    ...range.filter(Boolean),
  ].join(' ');
}
