/**
 * supervision/ runs Redis, worker and server as one service: starts them, keeps them alive, stops them.
 * Only `npm start` and the demo use it; in production each part has a process manager of its own.
 */
import { join } from 'node:path';
import type { Config } from '../config.js';
import { AppError } from '../errors.js';
import { type Death, keepAlive } from './keep-alive.js';
import { type RedisServer, startRedis } from './redis-server.js';
import { type Child, type ReadyMessage, startChild } from './start-child.js';

export type Part = 'server' | 'worker';

export interface SuperviseOptions {
  config: Config;
  /** Environment of the parts; `REDIS_URL` is added when Redis is ours. */
  env: NodeJS.ProcessEnv;
  /** Modules of the parts. */
  entries: Record<Part, string>;
  /** Each line that a part logs. */
  onLine: (part: Part, line: string) => void;
  /** What the user should know: a part died and is started again. */
  onNote: (sentence: string) => void;
  /** First pause before a part is started again. */
  backoffMs?: number;
}

/** What a server says of itself once it listens. */
export interface Started {
  url: string;
  /** The key that it made because there was none. */
  firstKey?: string | undefined;
  /** Of jobs that name none. */
  backbone?: string | undefined;
}

export interface Supervision {
  /** The address of the server once everything works; undefined when it was stopped before. Rejects as `closed` does. */
  ready: Promise<Started | undefined>;
  /**
   * Settles when everything has stopped. Rejects with AppError `process_failed` when a part did not start or could not
   * be kept alive, and with the errors of `startRedis`.
   */
  closed: Promise<void>;
  /** Stop everything: server and worker, then Redis. */
  stop(): void;
  /** Stop without waiting for what server and worker still do. */
  kill(): void;
}

/** A part that did not end within SHUTDOWN_SECONDS gets this much more before SIGKILL. */
const EXTRA_GRACE_MS = 5000;

/**
 * Run the service.
 *  1. Redis, unless REDIS_URL names one, in `redis/` of the data folder; then server and worker at once.
 *  2. A part that ends before it was ever ready ends the start. One that dies later is started again after a pause.
 *  3. When it is stopped, or a part is given up, server and worker are asked to end, and Redis ends last, so that they
 *     can still put away what they do.
 */
export function supervise(options: SuperviseOptions): Supervision {
  const { config, entries, onLine, onNote, backoffMs = 250 } = options;
  const parts = Object.keys(entries) as Part[];
  const env: NodeJS.ProcessEnv = { ...options.env };
  const stopping = new AbortController();
  const { signal } = stopping;
  const children = new Map<Part, Child>();
  const started = new Set<Part>();
  let redis: RedisServer | undefined;
  let server: Started = { url: '' };
  let tellAddress: (started: Started) => void;
  const address = new Promise<Started>((resolve) => {
    tellAddress = resolve;
  });

  const terminate = () => {
    for (const child of children.values()) child.terminate(config.SHUTDOWN_SECONDS * 1000 + EXTRA_GRACE_MS);
  };
  signal.addEventListener('abort', terminate);

  const onReady = (part: Part, { url, firstKey = server.firstKey, backbone }: ReadyMessage) => {
    started.add(part);
    if (url !== undefined) {
      server = { url, firstKey, backbone };
      env.PORT = new URL(url).port; // with PORT=0 a server that is started again takes the same one
    }
    if (started.size === parts.length) tellAddress(server);
  };

  const runPart = async (part: Part): Promise<Death> => {
    const child = startChild({
      entry: entries[part],
      env,
      onLine: (line) => onLine(part, line),
      onReady: (message) => onReady(part, message),
    });
    children.set(part, child);
    const death = await child.exited;
    children.delete(part);
    if (!started.has(part) && !signal.aborted) {
      throw new AppError('process_failed', `The ${part} did not start: ${death.reason}.`, {
        details: { said: death.said },
      });
    }
    return death;
  };

  const startOwnRedis = async (giveUp?: AbortSignal) => {
    redis = await startRedis({ folder: join(config.DATA_DIR, 'redis'), signal: giveUp });
    if (env.REDIS_URL === redis.url) return;
    env.REDIS_URL = redis.url;
    terminate(); // where its port was taken meanwhile: they start again with the new address
  };

  const runRedis = async (): Promise<Death> => {
    if (redis === undefined) await startOwnRedis(); // also while stopping: the worker has something to put away
    await Promise.race([redis!.exited, aborted(signal)]);
    if (!signal.aborted) redis = undefined; // otherwise it is still needed, and stopped last
    return { reason: 'see redis.log in the data folder', said: '' };
  };

  const run = async () => {
    const keep = (name: string, part: () => Promise<Death>) =>
      keepAlive({ name, run: part, signal, onNote, backoffMs });
    let keeping: Promise<void>[] = [];
    try {
      if (config.REDIS_URL === '') await startOwnRedis(signal);
      keeping = parts.map((part) => keep(part, () => runPart(part)));
      if (redis) keeping.push(keep('Redis', runRedis));
      await Promise.all(keeping);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      stopping.abort();
      await Promise.allSettled(keeping);
      await redis?.stop();
    }
  };

  const closed = run();
  const ready = Promise.race([address, closed.then(() => undefined)]);
  ready.catch(() => {}); // who waits for `closed` only learns it there
  return {
    ready,
    closed,
    stop: () => stopping.abort(),
    kill() {
      stopping.abort();
      for (const child of children.values()) child.kill();
    },
  };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
