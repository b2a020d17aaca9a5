/** The queue of jobs and their live state in memory: stand-ins for what lies in Redis. */
import { EventEmitter, once } from 'node:events';
import { AppError } from '../../src/errors.js';
import type { JobQueue } from '../../src/jobs/job-queue.js';
import type { PendingJob } from '../../src/jobs/job-store.js';
import type { LiveJobs, NewEvent } from '../../src/jobs/live-jobs.js';
import type { JobEvent, JobProgress } from '../../src/schemas/jobs.js';

type Told = JobProgress & { attempt: number };

export class LightQueue {
  readonly ids: string[] = [];
  /** As if Redis did not answer. */
  away = false;
  policy = 'noeviction';

  async check(): Promise<void> {
    if (this.away) throw new AppError('queue_unavailable', 'Redis does not answer.');
  }

  async add({ id }: PendingJob): Promise<void> {
    await this.check();
    if (!this.ids.includes(id)) this.ids.push(id);
  }

  async remove(id: string): Promise<boolean> {
    await this.check();
    return this.take(id);
  }

  async position(id: string): Promise<number | null> {
    await this.check();
    return this.ids.indexOf(id) + 1 || null;
  }

  async evictionPolicy(): Promise<string> {
    await this.check();
    return this.policy;
  }

  /** What a worker does. @returns whether the job was waiting */
  take(id: string): boolean {
    const index = this.ids.indexOf(id);
    if (index >= 0) this.ids.splice(index, 1);
    return index >= 0;
  }

  get asQueue(): JobQueue {
    return this as unknown as JobQueue;
  }
}

export class LightLive {
  readonly #events = new Map<string, JobEvent[]>();
  readonly #progress = new Map<string, Told>();
  readonly #changes = new EventEmitter().setMaxListeners(0);
  readonly cancelled: string[] = [];

  async setProgress(job: string, progress: Told): Promise<void> {
    this.#progress.set(job, progress);
  }

  async progress(job: string): Promise<Told | undefined> {
    return this.#progress.get(job);
  }

  async addEvent(job: string, event: NewEvent): Promise<{ line: string; base: number; length: number }> {
    const events = this.#events.get(job) ?? [];
    events.push({ seq: events.length + 1, at: new Date().toISOString(), ...event });
    this.#events.set(job, events);
    this.#changes.emit(job);
    return { line: JSON.stringify(event), base: 0, length: events.length };
  }

  async events(job: string, after = 0): Promise<JobEvent[]> {
    return (this.#events.get(job) ?? []).filter(({ seq }) => seq > after);
  }

  async nextEvent(job: string, ms: number, signal: AbortSignal): Promise<void> {
    const ended = AbortSignal.any([signal, AbortSignal.timeout(ms)]);
    await once(this.#changes, job, { signal: ended }).catch(() => undefined);
  }

  async announceCancel(job: string): Promise<void> {
    this.cancelled.push(job);
  }

  async forgetLater(): Promise<void> {}

  get asLive(): LiveJobs {
    return this as unknown as LiveJobs;
  }
}
