import { Type } from '@sinclair/typebox';
import { type AppError, ERRORS } from '../errors.js';
import type { RenderedError } from './dialect.js';

/** Errors as `application/problem+json` (RFC 9457): of the native dialect, and of paths that are nobody's. */
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

/** The details of an error never take the place of the standard members. */
export function renderProblem(error: AppError, requestId: string): RenderedError {
  const { code, status, details, message } = error;
  return {
    status,
    headers: code === 'unauthorized' ? { 'www-authenticate': 'Bearer' } : {},
    type: 'application/problem+json',
    body: JSON.stringify({
      ...details,
      type: `urn:graft:error:${code}`,
      title: ERRORS[code].title,
      status,
      code,
      detail: message,
      request_id: requestId,
    }),
  };
}
