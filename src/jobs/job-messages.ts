import type { ErrorCode } from '../errors.js';
import type { JobOutput, JobProgress } from '../schemas/jobs.js';
import type { JobRecord } from './job-store.js';
import type { NewEvent } from './live-jobs.js';

/** What a worker tells the process that runs a job. */
export interface RunMessage {
  type: 'run';
  record: JobRecord;
}

/** What that process answers. */
export type JobMessage =
  | { type: 'progress'; progress: JobProgress }
  | { type: 'event'; event: NewEvent }
  | { type: 'done'; output: JobOutput }
  /** After `done`: it could run another job. */
  | { type: 'ready' }
  | { type: 'failed'; code: ErrorCode; message: string; details?: Record<string, unknown> };
