/** Entry point of `npm run demo`: the whole way from photos to predictions, with a running service or one of its own. */
import { statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { mayBeImage } from '../backbones/image/names.js';
import { loadConfig } from '../config.js';
import { Graft, GraftConnectionError, GraftError } from '../client/index.js';
import { type DemoResult, runDemo } from '../demo/run-demo.js';
import { AppError } from '../errors.js';
import { type Supervision, supervise } from '../launch/supervise.js';
import { createPaint } from '../terminal/paint.js';
import { createScreen } from '../terminal/screen.js';

const USAGE = `Usage: npm run demo [-- FOLDER-OR-ARCHIVE | --text TABLE-OR-ARCHIVE] [--url URL] [--model NAME] [--backbone ID]

Without photos it draws some. Without --url (or GRAFT_URL) it starts a service for itself.
  --url URL        a running service; its API key in GRAFT_KEY
  --text PATH      texts: a CSV, TSV or JSON lines with a text and a label a row, or a zip of texts
  --model NAME     by default the name of the folder or archive
  --backbone ID    by default the service's own choice
  --keep           let its own service run on until Ctrl-C`;

const OPTIONS = {
  url: { type: 'string' },
  text: { type: 'string' },
  model: { type: 'string' },
  backbone: { type: 'string' },
  keep: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

process.exitCode = await main();

async function main(): Promise<number> {
  const { env, stdout } = process;
  const paint = createPaint({ isTTY: stdout.isTTY === true, env });
  const screen = createScreen({ out: stdout, paint });
  // npm changes to the project's folder; paths are meant from where it was called
  const here = env.INIT_CWD ?? process.cwd();
  const stopping = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stopping.abort());
  stdout.on('error', () => stopping.abort());

  let own: OwnService | undefined;
  try {
    const { values, positionals } = parseArgs({ options: OPTIONS, allowPositionals: true });
    if (values.help || positionals.length + (values.text === undefined ? 0 : 1) > 1) {
      stdout.write(`${USAGE}\n`);
      return values.help ? 0 : 1;
    }
    screen.line(paint.bold(`Graft: from ${values.text === undefined ? 'photos' : 'texts'} to predictions`));
    let url = values.url ?? (env.GRAFT_URL || undefined);
    if (url === undefined) {
      own = await startOwnService(env, stopping.signal);
      url = own.url;
    }
    const folder = join(here, 'demo-artifact');
    screen.line(`\n  ${own ? 'A service of its own' : 'The service'} at ${paint.cyan(url)}`);
    const path = values.text ?? positionals[0];
    const result = await runDemo({
      graft: new Graft({ url, key: env.GRAFT_KEY, tries: own ? 4 : 1 }),
      screen,
      path: path === undefined ? undefined : resolve(here, path),
      texts: values.text !== undefined,
      mayBePhoto: mayBeImage,
      model: values.model,
      backbone: values.backbone,
      folder,
      signal: stopping.signal,
    });
    screen.line(`\n${paint.bold('Try it yourself')}\n`);
    for (const line of closing({ result, url, gone: own !== undefined && !values.keep, here }))
      screen.line(`  ${line}`);
    screen.line();
    if (own && values.keep) {
      screen.line('  The service runs on until Ctrl-C.');
      await own.supervision.closed;
    }
    return 0;
  } catch (error) {
    if (stopping.signal.aborted) {
      screen.line('\nStopped.');
      return 130;
    }
    const isUsage = error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
    if (!isUsage && !(error instanceof AppError) && !(error instanceof GraftError)) throw error;
    screen.line();
    const hint = error instanceof GraftConnectionError ? ' Without --url the demo starts its own.' : '';
    process.stderr.write(`${isUsage ? `${error.message}\n\n${USAGE}` : paint.red(error.message + hint)}\n`);
    return 1;
  } finally {
    await own?.stop();
  }
}

interface OwnService {
  url: string;
  supervision: Supervision;
  stop(): Promise<void>;
}

/** A service on a free port, with its data in a temporary folder, which `stop` removes. */
async function startOwnService(env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<OwnService> {
  const folder = await mkdtemp(join(tmpdir(), 'graft-demo-'));
  const settings: NodeJS.ProcessEnv = {
    ...env,
    HOST: '127.0.0.1',
    PORT: '0',
    DATA_DIR: folder,
    CACHE_DIR: '',
    API_KEYS: '',
    KEYS_FILE: '',
    REDIS_URL: '', // a queue of its own: workers elsewhere know nothing of these photos
    LOG_LEVEL: 'warn',
  };
  const supervision = supervise({
    config: loadConfig(settings),
    env: settings,
    entries: { server: join(import.meta.dirname, 'server.js'), worker: join(import.meta.dirname, 'worker.js') },
    onLine: (_part, line) => process.stderr.write(`${line}\n`),
    onNote: (sentence) => process.stderr.write(`${sentence}\n`),
  });
  const stop = async () => {
    supervision.stop();
    await supervision.closed.catch(() => {}); // why it could not run has been said
    await rm(folder, { recursive: true, force: true });
  };
  if (signal.aborted) supervision.stop();
  signal.addEventListener('abort', () => supervision.stop());
  try {
    const started = await supervision.ready;
    if (started === undefined) throw new AppError('shutting_down', 'Stopped before it began.');
    return { url: started.url, supervision, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

interface ClosingOptions {
  result: DemoResult;
  url: string;
  /** Whether the service is gone by now. */
  gone: boolean;
  here: string;
}

/** What to type next: a prediction by hand; where the service is gone, after the same training on one that stays. */
function closing({ result, url, gone, here }: ClosingOptions): string[] {
  const key = process.env.GRAFT_KEY && !gone ? ' -H "Authorization: Bearer $GRAFT_KEY"' : '';
  const base = gone ? 'http://127.0.0.1:8080' : url;
  const photo = result.photo ? shellWord(relative(here, result.photo)) : 'photo.jpg';
  const body =
    result.text === undefined
      ? `--data-binary @${photo}`
      : `-H 'content-type: text/plain' -d ${shellWord(result.text.replace(/\s+/g, ' ').slice(0, 30))}`;
  const predict = `curl${key} ${base}/v1/models/${result.model}/predict ${body}`;
  if (!gone) return [predict];
  const path = shellWord(relative(here, result.path) || '.');
  const train = statSync(result.path).isDirectory()
    ? `tar -cC ${path} . | curl ${base}/v1/jobs -F model=${result.model} -F 'file=@-;filename=photos.tar'`
    : `curl ${base}/v1/jobs -F model=${result.model} -F file=@${path}`;
  return ['npm start', train, predict];
}

function shellWord(path: string): string {
  return /^[\w./+-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}
