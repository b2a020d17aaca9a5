/**
 * launch/ is what `npm start` does before and around the service: setup/ installs and compiles what is missing, here Redis,
 * server and worker are started, watched and ended together. The programs themselves lie in bin/.
 *
 * This file: the supervisor as a program.
 */
import { type Config, loadConfig } from '../config.js';
import { AppError } from '../errors.js';
import { prepareDataFolder } from '../storage/data-folder.js';
import { createPaint } from '../terminal/paint.js';
import { INFO, parseLog, readableLog } from './readable-log.js';
import { type Part, supervise } from './supervise.js';
import { welcome } from './welcome.js';

/** npm hands on the Ctrl-C that the terminal has already sent: within this time a second signal is the first one again. */
const SAME_CTRL_C_MS = 500;

export interface RunSupervisorOptions {
  env: NodeJS.ProcessEnv;
  entries: Record<Part, string>;
  backoffMs?: number;
  /** What is done before the first process starts; must not fail. */
  prepare?: (config: Config) => Promise<void>;
}

/**
 * `npm start` behind its set-up: run the service in the foreground until a signal stops it.
 * In a terminal logs are lines for people, and at the start only what went wrong; elsewhere they are JSON, all of it.
 * @returns the exit code: 0 when it was stopped, 1 when it could not run; 130 when a second Ctrl-C ended it.
 */
export async function runSupervisor({ env, entries, backoffMs, prepare }: RunSupervisorOptions): Promise<number> {
  process.umask(0o077); // what it writes is its user's alone
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {}); // the terminal may be gone
  const isTTY = process.stdout.isTTY === true;
  const paint = createPaint({ isTTY, env });
  const say = (text: string) => process.stdout.write(text);
  let quiet = isTTY;
  let forced = false;

  try {
    const config = loadConfig(env);
    await prepareDataFolder(config.DATA_DIR);
    await prepare?.(config);
    const graft = supervise({
      config,
      env,
      entries,
      backoffMs,
      onNote: (sentence) => say(`${sentence}\n`),
      onLine(part, line) {
        const log = isTTY ? parseLog(line) : undefined;
        if (log && quiet && log.level <= INFO) return;
        process.stderr.write(`${log ? readableLog(log, part, paint) : line}\n`);
      },
    });
    let askedAt: number | undefined;
    const onSignal = () => {
      if (askedAt !== undefined && Date.now() - askedAt < SAME_CTRL_C_MS) return;
      if (askedAt !== undefined) {
        forced = true;
        graft.kill();
        return;
      }
      askedAt = Date.now();
      quiet = isTTY;
      say(isTTY ? '\nStopping (Ctrl-C again: at once) …\n' : 'Stopping.\n');
      graft.stop();
    };
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);

    const started = await graft.ready;
    if (started !== undefined) say(welcome({ config, ...started, paint }));
    quiet = false;
    await graft.closed;
    say('Stopped.\n');
    return forced ? 130 : 0;
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    process.stderr.write(`${paint.red(error.message)}\n`);
    return 1;
  }
}
