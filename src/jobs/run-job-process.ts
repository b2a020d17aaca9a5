import { type ChildProcess, fork } from 'node:child_process';
import type { ErrorCode } from '../errors.js';
import type { JobOutput } from '../schemas/jobs.js';
import type { JobMessage, RunMessage } from './job-messages.js';
import type { JobRecord } from './job-store.js';

export interface JobProcessOptions {
  record: JobRecord;
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

export interface JobProcessesOptions {
  /** Module that runs jobs, see `src/bin/job-process.ts`. */
  entry: string;
  memoryMb: number;
  timeoutMs: number;
  /** Its environment; default: that of this process. */
  env?: NodeJS.ProcessEnv;
  /** How long a process whose job is done waits for the tenant's next one; 0: it ends at once. */
  warmMs: number;
}

/** Time between SIGTERM and SIGKILL; the process has nothing to put in order. */
const KILL_AFTER_MS = 1000;
const KEPT_STDERR = 2000;

/** A process whose last job is done. */
interface Waiting {
  child: ChildProcess;
  tenant: string;
  timer: NodeJS.Timeout;
}

/**
 * Runs jobs in processes of their own, one at a time in each, so that a crash, a lack of memory or a blocked loop costs
 * this job alone. A process ends when its job fails, when the job is stopped (SIGTERM, then SIGKILL), and when this process
 * goes away. One whose job is done may wait a while for the next job of the same tenant, never of another: what it has
 * loaded and compiled serves that one, too.
 */
export class JobProcesses {
  readonly #options: JobProcessesOptions;
  readonly #waiting = new Set<Waiting>();

  constructor(options: JobProcessesOptions) {
    this.#options = options;
  }

  async run(options: JobProcessOptions): Promise<JobProcessOutcome> {
    const warm = this.#take(options.record.tenant);
    if (warm) {
      const { outcome, told } = await this.#runIn(warm, options);
      // It was gone before it heard of the job: the job is not to blame.
      if (outcome.kind !== 'crashed' || told) return outcome;
    }
    return (await this.#runIn(this.#start(), options)).outcome;
  }

  /** End the processes that wait. */
  close(): void {
    for (const waiting of this.#waiting) this.#dismiss(waiting);
  }

  #start(): ChildProcess {
    const { entry, memoryMb, env } = this.#options;
    return fork(entry, [], {
      ...(env && { env }),
      execArgv: ['--enable-source-maps', `--max-old-space-size=${memoryMb}`],
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
      serialization: 'advanced',
    });
  }

  #take(tenant: string): ChildProcess | undefined {
    for (const waiting of this.#waiting) {
      if (waiting.tenant !== tenant) continue;
      clearTimeout(waiting.timer);
      this.#waiting.delete(waiting);
      quieten(waiting.child);
      return waiting.child;
    }
    // One that waits for another tenant makes room.
    for (const waiting of this.#waiting) this.#dismiss(waiting);
    return undefined;
  }

  #keep(child: ChildProcess, tenant: string): void {
    const waiting: Waiting = {
      child,
      tenant,
      timer: setTimeout(() => this.#dismiss(waiting), this.#options.warmMs).unref(),
    };
    child.once('exit', () => {
      clearTimeout(waiting.timer);
      this.#waiting.delete(waiting);
    });
    child.on('error', () => undefined);
    this.#waiting.add(waiting);
  }

  #dismiss(waiting: Waiting): void {
    clearTimeout(waiting.timer);
    this.#waiting.delete(waiting);
    waiting.child.kill('SIGKILL');
  }

  /** `told`: whether the process said a word about the job. */
  #runIn(
    child: ChildProcess,
    { record, signal, onMessage }: JobProcessOptions,
  ): Promise<{ outcome: JobProcessOutcome; told: boolean }> {
    return new Promise((resolve, reject) => {
      let outcome: JobProcessOutcome | undefined;
      let stderr = '';
      let told = false;
      let killing: NodeJS.Timeout | undefined;
      const stop = (why: JobProcessOutcome) => {
        outcome ??= why;
        child.kill('SIGTERM');
        killing ??= setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS);
      };
      const onAbort = () => stop({ kind: 'stopped' });
      const timeout = setTimeout(() => stop({ kind: 'timeout' }), this.#options.timeoutMs);
      const letGo = () => {
        clearTimeout(timeout);
        clearTimeout(killing);
        signal.removeEventListener('abort', onAbort);
        quieten(child);
      };
      if (signal.aborted) onAbort();
      else signal.addEventListener('abort', onAbort, { once: true });

      child.stderr!.setEncoding('utf8').on('data', (text: string) => {
        process.stderr.write(text);
        stderr = (stderr + text).slice(-KEPT_STDERR);
      });
      child.on('message', (message: JobMessage) => {
        told = true;
        if (message.type === 'progress' || message.type === 'event') return onMessage(message);
        if (message.type === 'ready') {
          if (outcome?.kind !== 'done' || killing || this.#options.warmMs === 0) return void child.kill('SIGKILL');
          letGo();
          child.stderr!.resume();
          this.#keep(child, record.tenant);
          return resolve({ outcome, told });
        }
        if (message.type === 'done') {
          outcome ??= { kind: 'done', output: message.output };
        } else {
          const { code, message: sentence, details } = message;
          outcome ??= { kind: 'failed', code, message: sentence, ...(details && { details }) };
        }
      });
      child.on('error', (error) => {
        letGo();
        reject(error);
      });
      child.on('close', (code, killedBy) => {
        letGo();
        const crash = { kind: 'crashed' as const, reason: crashReason(code, killedBy, stderr), signal: killedBy };
        resolve({ outcome: outcome ?? crash, told });
      });
      child.send({ type: 'run', record } satisfies RunMessage, () => undefined);
    });
  }
}

/** Take off what listened to a job of this process; Node has listeners of its own on it. */
function quieten(child: ChildProcess): void {
  for (const event of ['message', 'error', 'close', 'exit']) child.removeAllListeners(event);
  child.stderr!.removeAllListeners('data');
}

function crashReason(code: number | null, signal: NodeJS.Signals | null, stderr: string): string {
  if (/heap out of memory/i.test(stderr)) return 'it ran out of memory (JOB_MEMORY_MB)';
  if (signal === 'SIGKILL') return 'it was killed (SIGKILL), most often for want of memory';
  if (signal) return `it was ended by ${signal}`;
  return `it exited with code ${code}`;
}
