import { fork } from 'node:child_process';
import { createInterface } from 'node:readline';
import { isErrno } from '../errors.js';

/** What a child says by `process.send` once it works: the server also says where. */
export interface ReadyMessage {
  type: 'ready';
  url?: string;
  /** Of a server that made its first key. */
  firstKey?: string;
  /** Of jobs that name none. */
  backbone?: string;
}

export interface ChildOptions {
  /** Module to run. */
  entry: string;
  env: NodeJS.ProcessEnv;
  /** Each line of its standard error. */
  onLine: (line: string) => void;
  onReady: (message: ReadyMessage) => void;
}

export interface Child {
  /** Settles when it has ended: how, and the last it said. */
  exited: Promise<{ reason: string; said: string }>;
  /** SIGTERM, and after `graceMs` SIGKILL. */
  terminate(graceMs: number): void;
  kill(): void;
}

const KEPT_LINES = 12;

/**
 * Start a process of the service.
 * It has a process group of its own, so that Ctrl-C in a terminal reaches only its parent, and so that nothing of it is
 * left when it has ended. When its parent goes away without a word, its channel closes and it ends by itself.
 */
export function startChild({ entry, env, onLine, onReady }: ChildOptions): Child {
  const child = fork(entry, [], {
    env,
    detached: true,
    execArgv: ['--enable-source-maps'],
    stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
  });
  const said: string[] = [];
  const lines = createInterface({ input: child.stderr!, crlfDelay: Number.POSITIVE_INFINITY });
  lines.on('line', (line) => {
    said.push(line);
    if (said.length > KEPT_LINES) said.shift();
    onLine(line);
  });
  child.on('message', (message: ReadyMessage) => {
    if (message?.type === 'ready') onReady(message);
  });

  const killGroup = () => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    } catch (error) {
      if (!isErrno(error, 'ESRCH', 'EPERM')) throw error; // nothing is left, on macOS: nothing but a zombie
    }
  };
  let killing: NodeJS.Timeout | undefined;
  const exited = new Promise<{ reason: string; said: string }>((done) => {
    child.once('error', (error) => done({ reason: error.message, said: '' }));
    child.once('exit', () => {
      clearTimeout(killing);
      killGroup(); // what it started and did not end; this also closes its standard error
    });
    child.once('close', (code, signal) => {
      done({ reason: signal ? `it was ended by ${signal}` : `it exited with code ${code}`, said: said.join('\n') });
    });
  });
  return {
    exited,
    terminate(graceMs) {
      child.kill('SIGTERM');
      killing ??= setTimeout(killGroup, graceMs);
    },
    kill: killGroup,
  };
}
