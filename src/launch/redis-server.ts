import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { AppError, isErrno } from '../errors.js';
import { redisAddress } from '../redis/url.js';

/** The path of a unix socket may have 108 bytes on Linux and 104 on macOS. */
const MAX_SOCKET_PATH = 100;

/** Reading back a large append-only file takes a while; an empty one takes 20 ms. */
const START_DEADLINE_MS = 60_000;

/** Time to write what is left to disk after SIGTERM, before SIGKILL. */
const STOP_DEADLINE_MS = 10_000;

/** Who runs the Redis of a folder: lies in `owner.json` beside its data, readable by the user alone. */
interface Owner {
  owner: number;
  pid: number;
  url: string;
}

export interface RedisServerOptions {
  /** Folder for its data, its socket and its log; made when absent. */
  folder: string;
  /** Keep an append-only file, so that the queue outlives a restart. */
  appendOnly?: boolean;
  /** Gives up starting. */
  signal?: AbortSignal;
}

export interface RedisServer {
  url: string;
  pid: number;
  /** Settles when the process has ended, for whatever reason. */
  exited: Promise<void>;
  stop(): Promise<void>;
}

/**
 * Run a private `redis-server` in a folder and wait until it answers.
 *  1. A Redis that a killed owner left behind in this folder is stopped; one whose owner lives is left alone.
 *  2. The settings go in by standard input, so that no password shows in the list of processes.
 *  3. It listens on a unix socket in the folder, or, where that path is too long, on a loopback port with a password.
 *     Started again in the same folder it has the same address, as long as the port is free.
 *  4. A guard waits for the end of this process, however it ends, and then stops Redis.
 * Both have their own session: Ctrl-C in a terminal does not reach them.
 * @throws AppError `redis_missing` without the program, `redis_failed` when it does not start,
 *   `data_folder_in_use` when another living process runs the Redis of this folder.
 */
export async function startRedis({ folder, appendOnly = true, signal }: RedisServerOptions): Promise<RedisServer> {
  signal?.throwIfAborted();
  const home = resolve(folder);
  await mkdir(home, { recursive: true, mode: 0o700 });
  const before = await readOwner(home);
  if (before) await retire(before, home);
  const address = await chooseAddress(home, before?.url);

  const child = spawn('redis-server', ['-'], { cwd: home, detached: true, stdio: ['pipe', 'ignore', 'pipe'] });
  const exited = new Promise<void>((done) => child.once('close', () => done()));
  const stop = async () => {
    await end(child, exited);
    await rm(join(home, 'owner.json'), { force: true });
  };
  try {
    await spawned(child);
    const complaint = collect(child);
    const guard = startGuard(child.pid!);
    void exited.then(() => guard.kill());
    await writeOwner(home, { owner: process.pid, pid: child.pid!, url: address.url });
    child.stdin!.on('error', () => {}); // it died before it read its settings; `exited` says so
    child.stdin!.end(settings({ home, appendOnly, listen: address.listen }));
    await answers({ url: address.url, exited, complaint, home, signal });
  } catch (error) {
    await stop();
    throw error;
  }
  return { url: address.url, pid: child.pid!, exited, stop };
}

/** Stop the Redis of an owner that died without stopping it. */
async function retire({ owner, pid, url }: Owner, home: string): Promise<void> {
  const client = clientOf(url);
  try {
    await client.connect();
    if (owner !== process.pid && isAlive(owner)) {
      throw new AppError(
        'data_folder_in_use',
        `Another Graft (process ${owner}) uses the data folder ${home}. Stop it, or set DATA_DIR to another folder.`,
      );
    }
    await client.shutdown().catch(() => {}); // the connection breaks off instead of answering
    for (const deadline = Date.now() + STOP_DEADLINE_MS; isAlive(pid) && Date.now() < deadline; ) await sleep(20);
  } catch (error) {
    if (error instanceof AppError) throw error; // everything else: nobody answers, so there is nothing to stop
  } finally {
    client.disconnect();
  }
}

async function chooseAddress(home: string, before: string | undefined): Promise<{ url: string; listen: string[] }> {
  const socket = join(home, 'redis.sock');
  if (Buffer.byteLength(socket) < MAX_SOCKET_PATH) {
    const url = new URL('unix:///');
    url.pathname = socket;
    return { url: url.href, listen: ['port 0', `unixsocket ${quoted(socket)}`, 'unixsocketperm 700'] };
  }
  const last = before?.startsWith('redis:') ? new URL(before) : undefined;
  const port = (last && (await freePort(Number(last.port)))) ?? (await freePort(0));
  const password = last?.password ?? randomBytes(32).toString('hex');
  return {
    url: `redis://:${password}@127.0.0.1:${port}`,
    listen: [`port ${port}`, 'bind 127.0.0.1', `requirepass ${password}`],
  };
}

function settings(options: { home: string; appendOnly: boolean; listen: string[] }): string {
  return [
    ...options.listen,
    `dir ${quoted(options.home)}`,
    'daemonize no',
    'loglevel warning',
    'logfile redis.log',
    'save ""',
    `appendonly ${options.appendOnly ? 'yes' : 'no'}`,
    'appendfsync everysec',
    'maxmemory-policy noeviction', // BullMQ loses jobs when keys are evicted
    '',
  ].join('\n');
}

/** Waits until Redis answers, and has read back its data. */
async function answers(options: {
  url: string;
  exited: Promise<void>;
  complaint: () => string;
  home: string;
  signal: AbortSignal | undefined;
}): Promise<void> {
  let ended = false;
  void options.exited.then(() => {
    ended = true;
  });
  for (const deadline = Date.now() + START_DEADLINE_MS; ; await sleep(10)) {
    options.signal?.throwIfAborted();
    if (ended || Date.now() > deadline) {
      const reason = options.complaint() || `see ${join(options.home, 'redis.log')}`;
      throw new AppError('redis_failed', `redis-server ${ended ? 'ended at once' : 'does not answer'}: ${reason}`);
    }
    const client = clientOf(options.url);
    try {
      await client.connect();
      if ((await client.ping()) === 'PONG') return;
    } catch {
      // not there yet, or still reading its data
    } finally {
      client.disconnect();
    }
  }
}

/** A connection that tries once and says nothing. */
function clientOf(url: string): Redis {
  const client = new Redis({
    ...redisAddress(url),
    lazyConnect: true,
    enableReadyCheck: false,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
    connectTimeout: 1000,
    commandTimeout: 1000,
    disconnectTimeout: 100, // a timer that would hold up the end of a process
  });
  client.on('error', () => {});
  return client;
}

/**
 * A shell that stops Redis when this process is gone: its standard input ends then. Redis gets three seconds, so that a
 * worker that is ending too can still put its jobs back.
 */
function startGuard(pid: number): ChildProcess {
  const guard = spawn(
    '/bin/sh',
    ['-c', 'while read -r _; do :; done; sleep 3; kill -TERM "$1" 2>/dev/null', 'guard', String(pid)],
    {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    },
  );
  guard.on('error', () => {}); // without a shell a killed owner leaves Redis behind; the next start stops it
  guard.stdin!.on('error', () => {});
  guard.unref();
  (guard.stdin as { unref?(): void }).unref?.();
  return guard;
}

async function end(child: ChildProcess, exited: Promise<void>): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), STOP_DEADLINE_MS);
  await exited;
  clearTimeout(late);
}

async function spawned(child: ChildProcess): Promise<void> {
  try {
    await once(child, 'spawn');
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
    throw new AppError(
      'redis_missing',
      'There is no redis-server on this machine: install it (Debian and Ubuntu: apt-get install redis-server; macOS: brew install redis), or set REDIS_URL to a Redis that runs elsewhere.',
      { cause: error },
    );
  }
}

/** The last of what the process says on standard error. */
function collect(child: ChildProcess): () => string {
  let said = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-2000);
  });
  return () => said.trim();
}

async function readOwner(home: string): Promise<Owner | undefined> {
  try {
    return JSON.parse(await readFile(join(home, 'owner.json'), 'utf8')) as Owner;
  } catch (error) {
    if (isErrno(error, 'ENOENT') || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

async function writeOwner(home: string, owner: Owner): Promise<void> {
  const path = join(home, 'owner.json');
  const draft = `${path}.${process.pid}`;
  await rm(draft, { force: true }); // so that the mode below holds
  await writeFile(draft, JSON.stringify(owner), { mode: 0o600 });
  await rename(draft, path);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return isErrno(error, 'EPERM');
  }
}

/** `wanted` (0: any) if it is free on loopback, otherwise undefined. */
async function freePort(wanted: number): Promise<number | undefined> {
  const probe = createServer();
  try {
    probe.listen(wanted, '127.0.0.1');
    await once(probe, 'listening');
    const { port } = probe.address() as { port: number };
    return port;
  } catch {
    return undefined;
  } finally {
    probe.close();
  }
}

/** A value as redis.conf reads it. */
function quoted(text: string): string {
  return JSON.stringify(text);
}
