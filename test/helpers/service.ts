import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PACKAGE_ROOT } from '../../src/config.js';
import { startRedis } from '../../src/launch/redis-server.js';
import type { Job } from '../../src/schemas/jobs.js';
import { until } from './http.js';

/** A whole service of its own: Redis, server and worker as processes on a free port, data in a temporary folder. */
export interface TestService {
  url: string;
  redisUrl: string;
  dataDir: string;
  server: ChildProcess;
  worker: ChildProcess;
  /** Start another worker beside those that run. */
  startWorker(env?: NodeJS.ProcessEnv): Promise<ChildProcess>;
  /** Start another server on the same data. */
  startServer(env?: NodeJS.ProcessEnv): Promise<{ child: ChildProcess; url: string }>;
  /** JSON of a request; `status` is checked. */
  json<T>(path: string, init?: RequestInit & { status?: number }): Promise<T>;
  /** Wait until a job has ended. */
  ended(job: string, timeoutMs?: number): Promise<Job>;
  stop(): Promise<void>;
}

interface Teardown {
  teardown(fn: () => Promise<void>): unknown;
}

/** Start a service for a test file; it is stopped and its files removed at teardown. */
export async function serviceForTest(
  t: Teardown,
  options: {
    env?: NodeJS.ProcessEnv;
    worker?: boolean;
    /** What becomes of the log, where it is not given to `onLog`. */
    log?: 'inherit' | 'ignore';
    onLog?: (text: string) => void;
  } = {},
): Promise<TestService> {
  const folder = await mkdtemp(join(tmpdir(), 'graft-'));
  const redis = await startRedis({ folder: join(folder, 'redis'), appendOnly: false });
  const dataDir = join(folder, 'data');
  const children: ChildProcess[] = [];
  const start = async (entry: string, env: NodeJS.ProcessEnv = {}) => {
    const child = spawn(
      process.execPath,
      ['--enable-source-maps', join(PACKAGE_ROOT, 'build', 'src', 'bin', `${entry}.js`)],
      {
        env: {
          ...process.env,
          NODE_OPTIONS: '',
          REDIS_URL: redis.url,
          DATA_DIR: dataDir,
          PORT: '0',
          LOG_LEVEL: 'warn',
          JOB_NICE: '0', // or a job would wait for whatever else runs on the machine
          ...options.env,
          ...env,
        },
        stdio: ['ignore', 'ignore', options.onLog ? 'pipe' : (options.log ?? 'inherit'), 'ipc'],
      },
    );
    if (options.onLog) child.stderr!.setEncoding('utf8').on('data', options.onLog);
    children.push(child);
    const url = await new Promise<string>((resolve, reject) => {
      child.once('message', (message: { url?: string }) => resolve(message.url ?? ''));
      child.once('exit', (code) => reject(new Error(`${entry} ended with ${code} before it was ready`)));
    });
    return { child, url };
  };
  const stop = async () => {
    await Promise.all(children.map((child) => end(child)));
    await redis.stop();
    await rm(folder, { recursive: true, force: true });
  };
  t.teardown(stop);
  const { child: server, url } = await start('server');
  const startWorker = async (env?: NodeJS.ProcessEnv) => (await start('worker', env)).child;
  const worker = options.worker === false ? server : await startWorker();

  const service: TestService = {
    url,
    redisUrl: redis.url,
    dataDir,
    server,
    worker,
    startWorker,
    startServer: (env) => start('server', env),
    stop,
    async json<T>(path: string, { status = 200, ...init }: RequestInit & { status?: number } = {}) {
      const response = await fetch(url + path, init);
      const text = await response.text();
      if (response.status !== status) throw new Error(`${path}: ${response.status} instead of ${status}: ${text}`);
      return (text === '' ? undefined : JSON.parse(text)) as T;
    },
    async ended(job, timeoutMs = 120_000) {
      const look = () => service.json<Job>(`/v1/jobs/${job}`);
      const check = async () => {
        const found = await look();
        return found.finished_at !== null && found;
      };
      return until(check, { timeoutMs, everyMs: 100, what: `the end of job ${job}`, state: look });
    },
  };
  return service;
}

/** Run something with a service, which is stopped whatever happens. */
export async function withService<T>(
  options: Parameters<typeof serviceForTest>[1],
  use: (service: TestService) => Promise<T>,
): Promise<T> {
  const undo: (() => Promise<void>)[] = [];
  try {
    return await use(await serviceForTest({ teardown: (fn) => undo.push(fn) }, options));
  } finally {
    for (const step of undo) await step();
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
  await ended;
  clearTimeout(timer);
}
