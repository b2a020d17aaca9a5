import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { PACKAGE_ROOT } from '../../../src/config.js';
import { type RedisServer, startRedis } from '../../../src/launch/redis-server.js';
import { redisAddress } from '../../../src/redis/url.js';
import type { Job } from '../../../src/schemas/jobs.js';
import { type Answer, type Send, send, until } from '../../helpers/http.js';
import { signal } from '../../helpers/processes.js';

/** For trials that tell by its processes whether a worker has a job: one that waits for the next looks alike. */
export const NOTHING_WAITS = { JOB_WARM_SECONDS: '0' };

export interface FleetOptions {
  env?: NodeJS.ProcessEnv;
  workers?: number;
  /** Workers whose jobs compute nothing and publish; all else is real. For short forms. */
  light?: boolean;
  /** Default: a folder of its own, removed at the end. */
  dataDir?: string;
}

/** Redis, a server and workers as processes, each of which may be killed and started again at the same address. */
export class Fleet {
  readonly folder: string;
  readonly dataDir: string;
  url = '';
  redis!: RedisServer;
  server!: ChildProcess;
  workers: ChildProcess[] = [];
  readonly #env: NodeJS.ProcessEnv;
  readonly #workerEntry: string;
  readonly #started = new Set<ChildProcess>();

  private constructor(folder: string, options: FleetOptions) {
    this.folder = folder;
    this.dataDir = options.dataDir ?? join(folder, 'data');
    this.#workerEntry = options.light
      ? join(import.meta.dirname, 'light-worker.js')
      : join(PACKAGE_ROOT, 'build', 'src', 'bin', 'worker.js');
    this.#env = { BACKBONE_THREADS: '1', ...options.env };
  }

  static async start(options: FleetOptions = {}): Promise<Fleet> {
    const fleet = new Fleet(await mkdtemp(join(tmpdir(), 'graft-faults-')), options);
    try {
      await fleet.startRedis();
      await fleet.startServer();
      for (let i = 0; i < (options.workers ?? 1); i += 1) await fleet.startWorker();
      return fleet;
    } catch (error) {
      await fleet.close();
      throw error;
    }
  }

  async startRedis(): Promise<void> {
    this.redis = await startRedis({ folder: join(this.folder, 'redis') });
  }

  async killRedis(): Promise<void> {
    signal(this.redis.pid, 'SIGKILL');
    await this.redis.exited;
  }

  /** Everything in Redis is gone. */
  async wipeRedis(): Promise<void> {
    const redis = new Redis({ ...redisAddress(this.redis.url), maxRetriesPerRequest: 1 });
    redis.on('error', () => undefined);
    await redis.flushall();
    redis.disconnect();
  }

  /** Start the server, after the first time on the same port. */
  async startServer(): Promise<void> {
    const { child, url } = await this.#start(join(PACKAGE_ROOT, 'build', 'src', 'bin', 'server.js'), {
      PORT: this.url === '' ? '0' : new URL(this.url).port,
    });
    this.url = url;
    this.server = child;
  }

  async startWorker(): Promise<ChildProcess> {
    const { child } = await this.#start(this.#workerEntry);
    this.workers.push(child);
    return child;
  }

  /** End a process at once, and wait for its end. */
  async kill(child: ChildProcess): Promise<void> {
    this.workers = this.workers.filter((worker) => worker !== child);
    this.#started.delete(child);
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  /** SIGTERM. @returns seconds until the process had ended */
  async terminate(child: ChildProcess): Promise<number> {
    this.workers = this.workers.filter((worker) => worker !== child);
    this.#started.delete(child);
    const began = performance.now();
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    await exited;
    return (performance.now() - began) / 1000;
  }

  send(path: string, options?: Send): Promise<Answer> {
    return send(this.url, path, options);
  }

  /** JSON of a request; the status is checked. */
  readonly json = async <T>(path: string, { status = 200, ...init }: RequestInit & { status?: number } = {}) => {
    const response = await fetch(this.url + path, init);
    const text = await response.text();
    if (response.status !== status) throw new Error(`${path}: ${response.status} instead of ${status}: ${text}`);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  };

  job(id: string): Promise<Job> {
    return this.json<Job>(`/v1/jobs/${id}`);
  }

  /** Wait until a job is as wanted. */
  until(id: string, wanted: (job: Job) => boolean, timeoutMs = 60_000): Promise<Job> {
    const check = async () => {
      const job = await this.job(id);
      return wanted(job) && job;
    };
    return until(check, { timeoutMs, what: `what was expected of job ${id}`, state: () => this.job(id) });
  }

  ended(id: string, timeoutMs = 120_000): Promise<Job> {
    return this.until(id, ({ finished_at }) => finished_at !== null, timeoutMs);
  }

  /** The last that the processes logged. */
  get said(): string {
    try {
      return readFileSync(join(this.folder, 'log'), 'utf8').slice(-4000);
    } catch {
      return '';
    }
  }

  async close(): Promise<void> {
    for (const child of this.#started) {
      signal(child.pid!, 'SIGCONT');
      await this.kill(child);
    }
    await this.redis?.stop();
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  async #start(entry: string, env: NodeJS.ProcessEnv = {}): Promise<{ child: ChildProcess; url: string }> {
    const log = openSync(join(this.folder, 'log'), 'a');
    const child = spawn(process.execPath, ['--enable-source-maps', entry], {
      env: {
        ...process.env,
        NODE_OPTIONS: '',
        REDIS_URL: this.redis.url,
        DATA_DIR: this.dataDir,
        LOG_LEVEL: 'warn',
        ...this.#env,
        ...env,
      },
      stdio: ['ignore', 'ignore', log, 'ipc'],
    });
    closeSync(log);
    this.#started.add(child);
    const url = await new Promise<string>((resolve, reject) => {
      child.once('message', (message: { url?: string }) => resolve(message.url ?? ''));
      child.once('exit', (code, by) =>
        reject(new Error(`${entry} ended with ${by ?? code} before it was ready: ${this.said}`)),
      );
    });
    return { child, url };
  }
}

/** Run something with a fleet, which is ended whatever happens. */
export async function withFleet<T>(options: FleetOptions, use: (fleet: Fleet) => Promise<T>): Promise<T> {
  const fleet = await Fleet.start(options);
  try {
    return await use(fleet);
  } catch (error) {
    console.error(fleet.said);
    throw error;
  } finally {
    await fleet.close();
  }
}
