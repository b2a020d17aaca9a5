import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startRedis } from '../../../src/launch/redis-server.js';
import { CLASSIFIER } from '../speed/service.js';

/** A compiled checkout, with the backbone that is measured installed by its own command. */
export interface Subject {
  name: string;
  /** Start Redis, server and worker on a fresh data folder. */
  start(): Promise<RunningSubject>;
  remove(): Promise<void>;
}

export interface RunningSubject {
  url: string;
  port: number;
  /** One more server on the same data. */
  startServer(): Promise<{ url: string; stop(): Promise<void> }>;
  stop(): Promise<void>;
}

export const MEASURED_BACKBONE = 'mobilenet_v2';

export async function subjectIn(root: string, name: string): Promise<Subject> {
  if (!existsSync(CLASSIFIER)) throw new Error(`${CLASSIFIER} is not here; it is what is measured.`);
  const folder = await mkdtemp(join(tmpdir(), 'graft-subject-'));
  // Installed once: into the folder of backbones by older commits, into the data folder by newer ones. Copied for each start.
  const template = { models: join(folder, 'models'), data: join(folder, 'data') };
  await cp(join(root, 'models'), template.models, { recursive: true });
  await mkdir(template.data);
  const entry = (program: string) => {
    const [now, before] = [join(root, 'build/src/bin', `${program}.js`), join(root, 'build/src', `${program}.js`)];
    return existsSync(now) ? now : before;
  };
  const words = ['import', CLASSIFIER, '--id', MEASURED_BACKBONE, '--preset', 'tf', '--levels', '1'];
  execFileSync(process.execPath, [entry('backbones'), ...words], {
    env: { ...process.env, MODELS_DIR: template.models, DATA_DIR: template.data },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return {
    name,
    start: () => start({ entry, template }),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

async function start(options: {
  entry: (program: string) => string;
  template: { models: string; data: string };
}): Promise<RunningSubject> {
  const folder = await mkdtemp(join(tmpdir(), 'graft-against-run-'));
  const data = join(folder, 'data');
  await cp(options.template.data, data, { recursive: true });
  const redis = await startRedis({ folder: join(folder, 'redis'), appendOnly: false });
  const env = {
    ...process.env,
    NODE_OPTIONS: '',
    REDIS_URL: redis.url,
    DATA_DIR: data,
    MODELS_DIR: options.template.models,
    DEFAULT_BACKBONE: MEASURED_BACKBONE,
    PORT: '0',
    LOG_LEVEL: 'info',
  };
  const children: ChildProcess[] = [];
  const launch = async (program: string) => {
    const child = spawn(process.execPath, ['--enable-source-maps', options.entry(program)], {
      env,
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    children.push(child);
    const url = await new Promise<string>((resolve, reject) => {
      child.once('message', (message: { url?: string }) => resolve(message.url ?? ''));
      child.once('exit', (code) => reject(new Error(`${program} ended with ${code} before it was ready`)));
    });
    return { child, url };
  };
  const stop = async () => {
    await Promise.all(children.map(end));
    await redis.stop();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const { url } = await launch('server');
    await launch('worker');
    return {
      url,
      port: Number(new URL(url).port),
      async startServer() {
        const server = await launch('server');
        return { url: server.url, stop: () => end(server.child) };
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
}
