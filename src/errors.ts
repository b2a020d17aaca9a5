/**
 * Errors with a name. Code that knows what is wrong throws an `AppError`; it is translated in two places only, the HTTP
 * error handler and the job processor. One table gives status, title and whether the same call may work later.
 */

/** One row per stable code: HTTP status, title, and whether trying the same call again can help. */
export const ERRORS = {
  // requests
  invalid_request: { status: 400, title: 'The request is not valid', retryable: false },
  invalid_json: { status: 400, title: 'The body is not JSON', retryable: false },
  invalid_multipart: { status: 400, title: 'The multipart body is not valid', retryable: false },
  missing_file: { status: 400, title: 'A file is missing', retryable: false },
  unauthorized: { status: 401, title: 'An API key is needed', retryable: false },
  forbidden: { status: 403, title: 'This API key may not do that', retryable: false },
  cross_site: { status: 403, title: 'Pages of other sites may not do that', retryable: false },
  host_not_allowed: { status: 421, title: 'The server is not known under this name', retryable: false },
  not_found: { status: 404, title: 'Not found', retryable: false },
  method_not_allowed: { status: 405, title: 'This method is not offered here', retryable: false },
  request_timeout: { status: 408, title: 'The request took too long to arrive', retryable: true },
  too_large: { status: 413, title: 'Too large', retryable: false },
  unsupported_media_type: { status: 415, title: 'This kind of body is not understood here', retryable: false },
  range_not_satisfiable: { status: 416, title: 'The range lies outside the file', retryable: false },
  client_closed_request: { status: 499, title: 'The client left', retryable: true },
  // data sets
  dataset_not_found: { status: 404, title: 'No such data set', retryable: false },
  example_not_found: { status: 404, title: 'No such example', retryable: false },
  dataset_in_use: { status: 409, title: 'The data set is in use', retryable: true },
  not_an_archive: { status: 415, title: 'Not an archive that is understood', retryable: false },
  archive_damaged: { status: 422, title: 'The archive is damaged', retryable: false },
  archive_encrypted: { status: 422, title: 'The archive is encrypted', retryable: false },
  archive_unsafe: { status: 422, title: 'The archive is not safe to open', retryable: false },
  archive_too_large: { status: 413, title: 'The archive is too large', retryable: false },
  archive_empty: { status: 422, title: 'The archive is empty', retryable: false },
  no_examples: { status: 422, title: 'No usable example was found', retryable: false },
  no_labels: { status: 422, title: 'No labels were found', retryable: false },
  ambiguous_layout: { status: 422, title: 'The layout can be read in two ways', retryable: false },
  digest_mismatch: { status: 422, title: 'The bytes do not match their digest', retryable: true },
  // content
  content_invalid: { status: 422, title: 'The content cannot be read', retryable: false },
  content_too_large: { status: 413, title: 'The content is too large', retryable: false },
  content_unsupported: { status: 415, title: 'This kind of content is not supported', retryable: false },
  // jobs
  job_not_found: { status: 404, title: 'No such job', retryable: false },
  job_finished: { status: 409, title: 'The job has already ended', retryable: false },
  idempotency_key_reused: { status: 422, title: 'The idempotency key belongs to another request', retryable: false },
  too_few_classes: { status: 422, title: 'Too few classes', retryable: false },
  too_few_examples: { status: 422, title: 'Too few images', retryable: false },
  class_without_training_examples: { status: 422, title: 'A class has no training images', retryable: false },
  setting_conflict: { status: 422, title: 'Two settings contradict each other', retryable: false },
  training_diverged: { status: 422, title: 'The training diverged', retryable: false },
  engine_unavailable: { status: 422, title: 'The worker lacks an engine', retryable: false },
  job_crashed: { status: 500, title: 'The job crashed', retryable: true },
  job_timeout: { status: 500, title: 'The job took too long', retryable: false },
  job_kind_unknown: { status: 500, title: 'No worker runs jobs of this kind', retryable: false },
  job_cancelled: { status: 409, title: 'The job was cancelled', retryable: false },
  // models
  model_not_found: { status: 404, title: 'No such model', retryable: false },
  version_not_found: { status: 404, title: 'No such version', retryable: false },
  alias_not_found: { status: 404, title: 'No such alias', retryable: false },
  alias_conflict: { status: 412, title: 'The alias was changed by somebody else', retryable: true },
  format_unavailable: { status: 409, title: 'The version is not to be had in this format', retryable: false },
  model_in_use: { status: 409, title: 'The model is in use', retryable: false },
  version_in_use: { status: 409, title: 'The version is in use', retryable: false },
  version_damaged: { status: 500, title: 'The stored version does not match its digest', retryable: false },
  // backbones
  backbone_not_found: { status: 404, title: 'No such backbone', retryable: false },
  backbone_invalid: { status: 422, title: 'The backbone cannot be used', retryable: false },
  backbone_in_use: { status: 409, title: 'The backbone is in use', retryable: false },
  backbone_mismatch: { status: 409, title: 'The version was trained on another backbone', retryable: false },
  download_failed: { status: 502, title: 'A file could not be fetched', retryable: true },
  // limits of a tenant or key
  rate_limited: { status: 429, title: 'This API key sends too many requests', retryable: true },
  too_many_jobs: { status: 429, title: 'Too many jobs that have not ended', retryable: true },
  quota_exceeded: { status: 403, title: 'The tenant has as many as it may', retryable: false },
  // the service
  overloaded: { status: 429, title: 'Too many requests at once', retryable: true },
  storage_full: { status: 507, title: 'The disk is full', retryable: true },
  queue_unavailable: { status: 503, title: 'The job queue cannot be reached', retryable: true },
  shutting_down: { status: 503, title: 'The server is shutting down', retryable: true },
  redis_missing: { status: 500, title: 'There is no redis-server', retryable: false },
  redis_failed: { status: 500, title: 'The redis-server does not start', retryable: true },
  process_failed: { status: 500, title: 'A part of the service does not run', retryable: true },
  data_folder_in_use: { status: 500, title: 'Another Graft uses the data folder', retryable: false },
  config_invalid: { status: 500, title: 'The settings are not valid', retryable: false },
  internal: { status: 500, title: 'Something went wrong here', retryable: true },
} as const satisfies Record<string, { status: number; title: string; retryable: boolean }>;

export type ErrorCode = keyof typeof ERRORS;

export interface AppErrorOptions {
  /** What goes into the answer beside the sentence: where it was, what was allowed. Never secrets. */
  details?: Record<string, unknown>;
  cause?: unknown;
}

/**
 * An error that may be shown to the user.
 * `message` is one sentence: what was wrong, where, and what to do.
 */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly details: Record<string, unknown>;

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'AppError';
    this.code = code;
    this.details = options.details ?? {};
  }

  get status(): number {
    return ERRORS[this.code].status;
  }

  get retryable(): boolean {
    return ERRORS[this.code].retryable;
  }
}

/** Whether `error` is a Node system error with one of these codes (`ENOENT`, `EEXIST`, …). */
export function isErrno(error: unknown, ...codes: string[]): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}
