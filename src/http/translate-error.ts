import type { ErrorObject } from 'ajv';
import type { FastifyError } from 'fastify';
import { AppError, type ErrorCode } from '../errors.js';
import { invalidRequest } from './invalid-request.js';

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
  Z_DATA_ERROR: ['invalid_request', 'The body is not gzip, though Content-Encoding says so.'],
  Z_BUF_ERROR: ['invalid_request', 'The body ends before its gzip does.'],
  FST_ERR_BAD_URL: ['invalid_request', 'The URL is not valid.'],
  FST_ERR_MAX_PARAM_LENGTH: ['invalid_request', 'A part of the URL is too long.'],
};

/** Errors of Fastify, its plug-ins and Node as ours; what nobody knows becomes `internal`. */
export function translateError(error: FastifyError): AppError {
  if (error instanceof AppError) return error;
  if (error.validation) return invalidRequest(error.validation as ErrorObject[], error.validationContext ?? 'request');
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
