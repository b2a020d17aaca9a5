/** What the service answered that is no success: a stable code, and a sentence with what to do. */
export class GraftError extends Error {
  /** HTTP status; of a job that failed: 0. */
  readonly status: number;
  /** Stable code, such as `dataset_not_found`. */
  readonly code: string;
  /** Under which the service logged it. */
  readonly requestId: string | undefined;
  /** Where it was and what was allowed; depends on the code. */
  readonly details: Record<string, unknown>;

  constructor(
    message: string,
    fields: {
      status: number;
      code: string;
      requestId?: string | undefined;
      details?: Record<string, unknown> | undefined;
    },
    cause?: unknown,
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'GraftError';
    this.status = fields.status;
    this.code = fields.code;
    this.requestId = fields.requestId;
    this.details = fields.details ?? {};
  }
}

/** Nobody answered, or the connection broke off, however often it was tried. `code` is `unreachable`. */
export class GraftConnectionError extends GraftError {
  constructor(url: string, cause: unknown) {
    super(`No Graft answers at ${url}. Is it running there?`, { status: 0, code: 'unreachable' }, cause);
    this.name = 'GraftConnectionError';
  }
}

/** The problem of an answer; also where a proxy in between wrote it. */
export function errorOf(status: number, body: string, requestId?: string): GraftError {
  try {
    const { code, detail, title, type: _type, status: _status, request_id, ...details } = JSON.parse(body);
    if (typeof code === 'string') {
      return new GraftError(detail ?? title ?? code, { status, code, requestId: request_id ?? requestId, details });
    }
  } catch {
    // no problem of ours
  }
  const text = body
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, 200);
  return new GraftError(`The service answered ${status}${text === '' ? '.' : `: ${text}`}`, {
    status,
    code: 'not_graft',
    requestId,
  });
}
