import { fork } from 'node:child_process';
import type { ErrorCode } from '../errors.js';
import type { JobOutput } from '../schemas/jobs.js';
import type { JobMessage, RunMessage } from './job-messages.js';
import type { JobRecord } from './job-store.js';

export interface JobProcessOptions {
  record: JobRecord;
  /** Module that runs one job, see `src/bin/job-process.ts`. */
  entry: string;
  memoryMb: number;
  timeoutMs: number;
  /** Its environment; default: that of this process. */
  env?: NodeJS.ProcessEnv;
  /** Aborted to stop the job. */
  signal: AbortSignal;
  onMessage: (message: Extract<JobMessage, { type: 'progress' | 'event' }>) => void;
}

/** How the process of a job ended. `crashed`: by itself, without a word. */
export type JobProcessOutcome =
  | { kind: 'done'; output: JobOutput }
  | { kind: 'failed'; code: ErrorCode; message: string; details?: Record<string, unknown> }
  | { kind: 'crashed'; reason: string; signal: NodeJS.Signals | null }
  | { kind: 'stopped' }
  | { kind: 'timeout' };

/** Time between SIGTERM and SIGKILL; the process has nothing to put in order. */
const KILL_AFTER_MS = 1000;
const KEPT_STDERR = 2000;

/**
 * Run one job in a process of its own, so that a crash, a lack of memory or a blocked loop costs this job alone. The
 * process ends when the job does, when it is stopped (SIGTERM, then SIGKILL), and when this process goes away.
 */
export function runJobProcess(options: JobProcessOptions): Promise<JobProcessOutcome> {
  const { record, entry, memoryMb, timeoutMs, env, signal, onMessage } = options;
  return new Promise((resolve, reject) => {
    const child = fork(entry, [], {
      ...(env && { env }),
      execArgv: ['--enable-source-maps', `--max-old-space-size=${memoryMb}`],
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
      serialization: 'advanced',
    });
    let outcome: JobProcessOutcome | undefined;
    let stderr = '';
    let killing: NodeJS.Timeout | undefined;
    const stop = (why: JobProcessOutcome) => {
      outcome ??= why;
      child.kill('SIGTERM');
      killing ??= setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS);
    };
    const onAbort = () => stop({ kind: 'stopped' });
    const timeout = setTimeout(() => stop({ kind: 'timeout' }), timeoutMs);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });

    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      process.stderr.write(text);
      stderr = (stderr + text).slice(-KEPT_STDERR);
    });
    child.on('message', (message: JobMessage) => {
      if (message.type === 'progress' || message.type === 'event') onMessage(message);
      else if (message.type === 'done') outcome ??= { kind: 'done', output: message.output };
      else {
        const { code, message: sentence, details } = message;
        outcome ??= { kind: 'failed', code, message: sentence, ...(details && { details }) };
      }
    });
    const tidyUp = () => {
      clearTimeout(timeout);
      clearTimeout(killing);
      signal.removeEventListener('abort', onAbort);
    };
    child.on('error', (error) => {
      tidyUp();
      reject(error);
    });
    child.on('close', (code, killedBy) => {
      tidyUp();
      resolve(outcome ?? { kind: 'crashed', reason: crashReason(code, killedBy, stderr), signal: killedBy });
    });
    child.send({ type: 'run', record } satisfies RunMessage, () => undefined);
  });
}

function crashReason(code: number | null, signal: NodeJS.Signals | null, stderr: string): string {
  if (/heap out of memory/i.test(stderr)) return 'it ran out of memory (JOB_MEMORY_MB)';
  if (signal === 'SIGKILL') return 'it was killed (SIGKILL), most often for want of memory';
  if (signal) return `it was ended by ${signal}`;
  return `it exited with code ${code}`;
}
