import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { JobQueue } from '../../../src/jobs/job-queue.js';
import { JobStore } from '../../../src/jobs/job-store.js';
import { Jobs } from '../../../src/jobs/jobs.js';
import { LiveJobs } from '../../../src/jobs/live-jobs.js';
import { type RedisServer, startRedis } from '../../../src/launch/redis-server.js';
import { createLog } from '../../../src/log.js';
import { connectRedis } from '../../../src/redis/connect.js';
import { Registry } from '../../../src/registry/registry.js';
import type { Job } from '../../../src/schemas/jobs.js';
import { FileStorage } from '../../../src/storage/file-storage.js';
import { trainInput } from '../../helpers/jobs.js';
import { childrenOf, signal } from '../../helpers/processes.js';

const log = createLog('test', 'silent');
/** Kills of job processes must not use up the attempts: no job may fail. */
const ATTEMPTS = 100;
const RANK: Record<Job['status'], number> = { queued: 0, running: 1, succeeded: 2, failed: 2, cancelled: 2 };

/** Jobs over a Redis, a folder and a worker of their own; the API's part runs here. Everything that is seen is checked. */
export class World {
  readonly folder: string;
  redisServer!: RedisServer;
  jobs!: Jobs;
  registry!: Registry;
  /** What is wrong with what was seen. */
  readonly faults: string[] = [];
  readonly #seen = new Map<string, Job>();
  readonly #numbers = new Map<string, number>();
  #worker!: ChildProcess;
  #redis!: ReturnType<typeof connectRedis>;
  #subscriber!: ReturnType<typeof connectRedis>;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async create(): Promise<World> {
    const world = new World(await mkdtemp(join(tmpdir(), 'graft-world-')));
    world.redisServer = await startRedis({ folder: join(world.folder, 'redis') });
    const url = world.redisServer.url;
    const storage = new FileStorage({ root: join(world.folder, 'data') });
    [world.#redis, world.#subscriber] = [connectRedis(url, log), connectRedis(url, log)];
    world.registry = new Registry({ storage });
    world.jobs = new Jobs({
      store: new JobStore({ storage }),
      queue: new JobQueue({ redis: world.#redis, attempts: ATTEMPTS }),
      live: new LiveJobs({ redis: world.#redis, subscriber: world.#subscriber }),
      log,
    });
    await world.#startWorker();
    return world;
  }

  async submit(model: string): Promise<string> {
    const input = { ...trainInput({ model }) };
    const deadline = Date.now() + 60_000;
    for (;;) {
      try {
        const { job } = await this.jobs.submit({ kind: 'train', tenant: 'default', by: 'local', input });
        this.note(job);
        return job.id;
      } catch (error) {
        if (Date.now() > deadline) throw error;
        await sleep(50); // Redis is on its way back: 503
      }
    }
  }

  async look(id: string): Promise<Job> {
    return this.note(await this.jobs.get('default', id));
  }

  /** Read on from the last event seen, as a client does that follows a job. */
  async lookAtEvents(id: string): Promise<void> {
    const after = this.numbersSeen(id);
    const events = await this.jobs.events('default', id, after);
    for (const { seq } of events) if (seq <= after) this.faults.push(`${id}: event ${seq} came after ${after}`);
    if (events.length > 0) this.#numbers.set(id, events.at(-1)!.seq);
  }

  /** The highest number of an event that was seen. */
  numbersSeen(id: string): number {
    return this.#numbers.get(id) ?? 0;
  }

  /** Check what is told about a job against all that was told before. */
  note(now: Job): Job {
    const before = this.#seen.get(now.id);
    this.#seen.set(now.id, now);
    if (!before) return now;
    const says = (what: string, from: unknown, to: unknown) => this.faults.push(`${now.id}: ${what} ${from} → ${to}`);
    if (RANK[now.status] < RANK[before.status]) says('status', before.status, now.status);
    if (before.finished_at !== null) {
      for (const field of ['status', 'version', 'accuracy', 'finished_at', 'attempt'] as const) {
        if (now[field] !== before[field]) says(field, before[field], now[field]);
      }
    }
    if (now.progress < before.progress) says('progress', before.progress, now.progress);
    if (before.cancel_requested && !now.cancel_requested) says('cancel_requested', true, false);
    if (before.started_at !== null && now.started_at !== before.started_at)
      says('started_at', before.started_at, now.started_at);
    if ((now.status === 'succeeded') !== (now.version !== null)) says('version', now.status, now.version);
    return now;
  }

  killJobs(): void {
    for (const child of childrenOf(this.#worker.pid!)) signal(child, 'SIGKILL');
  }

  /** The worker and the processes of its jobs die; another one starts. */
  async killWorker(): Promise<void> {
    this.#worker.kill('SIGKILL');
    await once(this.#worker, 'exit');
    await this.#startWorker();
  }

  async restartWorker(): Promise<void> {
    this.#worker.kill('SIGTERM');
    const late = setTimeout(() => this.#worker.kill('SIGKILL'), 5000);
    await once(this.#worker, 'exit');
    clearTimeout(late);
    await this.#startWorker();
  }

  async wipeRedis(): Promise<void> {
    await this.#redis.flushall();
  }

  async restartRedis(): Promise<void> {
    signal(this.redisServer.pid, 'SIGKILL');
    await this.redisServer.exited;
    this.redisServer = await startRedis({ folder: join(this.folder, 'redis') });
  }

  async close(): Promise<void> {
    this.#worker.kill('SIGKILL');
    this.#redis.disconnect();
    this.#subscriber.disconnect();
    await this.redisServer.stop();
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  async #startWorker(): Promise<void> {
    this.#worker = fork(join(import.meta.dirname, 'light-worker.js'), [], {
      env: {
        ...process.env,
        NODE_OPTIONS: '',
        DATA_DIR: join(this.folder, 'data'),
        REDIS_URL: this.redisServer.url,
        WORKER_CONCURRENCY: '2',
        JOB_ATTEMPTS: String(ATTEMPTS),
      },
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    await once(this.#worker, 'message');
  }
}
