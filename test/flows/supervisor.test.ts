import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import t, { type Test } from 'tap';
import { PACKAGE_ROOT } from '../../src/config.js';
import { until } from '../helpers/http.js';

const SUPERVISOR = pathToFileURL(join(PACKAGE_ROOT, 'build/src/launch/run-supervisor.js')).href;
const IOREDIS = pathToFileURL(join(PACKAGE_ROOT, 'node_modules/ioredis/built/index.js')).href;

/** A server that writes its pid down, answers on PORT, and takes its time to end. */
const SERVER = `
import { createServer } from 'node:http';
import { appendFileSync } from 'node:fs';
appendFileSync(process.env.PIDS, 'server ' + process.pid + '\\n');
const server = createServer((request, response) => {
  if (request.url === '/die') process.kill(process.pid, 'SIGKILL');
  response.end('hello');
});
server.listen(Number(process.env.PORT), '127.0.0.1', () => {
  console.error(JSON.stringify({ level: 30, time: new Date().toISOString(), msg: 'a server line' }));
  process.send({ type: 'ready', url: 'http://127.0.0.1:' + server.address().port });
});
const stop = () => setTimeout(() => process.exit(0), Number(process.env.SLOW ?? 20));
process.on('SIGTERM', stop);
process.on('disconnect', () => process.exit(0));`;

/** A worker that uses Redis until its very end. */
const WORKER = `
import ioredis from ${JSON.stringify(IOREDIS)};
import { appendFileSync } from 'node:fs';
appendFileSync(process.env.PIDS, 'worker ' + process.pid + '\\n');
const redis = new ioredis.Redis({ path: new URL(process.env.REDIS_URL).pathname });
redis.on('error', () => {});
await redis.incr('starts');
process.on('SIGTERM', async () => {
  await new Promise((done) => setTimeout(done, 100));
  await redis.incr('stops');
  console.error('worker put its job back');
  process.exit(0);
});
process.on('disconnect', () => process.exit(0));
process.send({ type: 'ready' });`;

interface Stubs {
  server?: string;
  worker?: string;
  env?: NodeJS.ProcessEnv;
}

/** A supervisor over stubs, in a process of its own. */
async function supervisor(t: Test, { server = SERVER, worker = WORKER, env = {} }: Stubs = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'graft-supervisor-'));
  t.teardown(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  const [serverEntry, workerEntry, pids] = ['server.mjs', 'worker.mjs', 'pids'].map((name) => join(folder, name));
  await writeFile(serverEntry!, server);
  await writeFile(workerEntry!, worker);
  const program = `
    import { runSupervisor } from ${JSON.stringify(SUPERVISOR)};
    process.exitCode = await runSupervisor({
      env: process.env,
      entries: ${JSON.stringify({ server: serverEntry, worker: workerEntry })},
      backoffMs: 10,
    });`;

  const start = () => {
    const { REDIS_URL: _, ...inherited } = process.env;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      env: {
        ...inherited,
        NODE_OPTIONS: '',
        PORT: '0',
        SHUTDOWN_SECONDS: '2',
        DATA_DIR: join(folder, 'data'),
        PIDS: pids,
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    t.teardown(() => child.kill('SIGKILL'));
    let printed = '';
    const waiting = new Set<() => void>();
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        printed += `${line}\n`;
        for (const look of waiting) look();
      });
    }
    /** Waits until something is printed, and gives what the pattern found. */
    const says = (pattern: RegExp) =>
      new Promise<RegExpMatchArray>((found) => {
        const look = () => {
          const match = printed.match(pattern);
          if (!match) return;
          waiting.delete(look);
          found(match);
        };
        waiting.add(look);
        look();
      });
    const closed = once(child, 'close').then(([code]) => code as number | null);
    return { child, says, closed, printed: () => printed, url: async () => (await says(/listens on (\S+)/))[1]! };
  };
  /** All processes that parts told of, and Redis. */
  const processes = async () => {
    const told = existsSync(pids!) ? [...(await readFile(pids!, 'utf8')).matchAll(/\d+/g)].map(Number) : [];
    const owner = join(folder, 'data', 'redis', 'owner.json');
    const redis = existsSync(owner) ? [JSON.parse(await readFile(owner, 'utf8')).pid as number] : [];
    return [...told, ...redis];
  };
  return { start, processes, folder };
}

const alive = (pids: number[]) =>
  pids.filter((pid) => {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  });

async function allGone(pids: number[], ms: number): Promise<boolean> {
  for (const deadline = Date.now() + ms; alive(pids).length > 0 && Date.now() < deadline; ) await sleep(50);
  return alive(pids).length === 0;
}

t.test('it says where it listens and what to try, and stops everything on a signal, Redis last', async (t) => {
  const { start, processes } = await supervisor(t);
  const graft = start();
  const url = await graft.url();
  t.equal(await (await fetch(url)).text(), 'hello');
  await graft.says(/curl http.*Data .*data\n.*Ctrl-C/s);
  const pids = await processes();
  t.equal(pids.length, 3);
  graft.child.kill('SIGINT');
  t.equal(await graft.closed, 0);
  t.match(graft.printed(), /worker put its job back\n.*Stopped/s);
  t.same(alive(pids), []);
});

t.test('a part that dies is started again, the server on the same port', async (t) => {
  const { start, processes } = await supervisor(t);
  const graft = start();
  const url = await graft.url();
  await fetch(`${url}/die`).catch(() => {});
  await graft.says(/The server died \(it was ended by SIGKILL\); starting it again/);
  const answers = async () => (await fetch(url).catch(() => undefined))?.ok;
  await until(answers, { timeoutMs: 30_000, everyMs: 50, what: 'an answer of the next server' });
  t.equal(await (await fetch(url)).text(), 'hello');
  graft.child.kill('SIGTERM');
  t.equal(await graft.closed, 0);
  t.same(alive(await processes()), []);
});

t.test('Redis that dies is started again with its data, and nobody else', async (t) => {
  const { start, processes } = await supervisor(t);
  const graft = start();
  await graft.url();
  const [, , redis] = await processes();
  process.kill(redis!, 'SIGKILL');
  await graft.says(/The Redis died/);
  await until(async () => (await processes())[2] !== redis, { what: 'another Redis', state: processes });
  graft.child.kill('SIGTERM');
  t.equal(await graft.closed, 0);
  t.match(graft.printed(), /worker put its job back/);
  t.equal((await processes()).length, 2, 'server and worker were started once');
});

t.test('a part that does not start ends the start, and its words are shown', async (t) => {
  const { start, processes } = await supervisor(t, {
    server: 'console.error("Port 80 is taken."); setTimeout(() => process.exit(3), 200)',
  });
  const graft = start();
  t.equal(await graft.closed, 1);
  t.match(graft.printed(), /Port 80 is taken\.\n.*The server did not start: it exited with code 3\./s);
  t.same(alive(await processes()), []);
});

t.test('five quick deaths are enough', async (t) => {
  const { start } = await supervisor(t, {
    server: 'process.send({ type: "ready", url: "http://127.0.0.1:1" }); setTimeout(() => process.exit(9), 30)',
  });
  const graft = start();
  t.equal(await graft.closed, 1);
  t.match(graft.printed(), /The server died 5 times in a row, the last time: it exited with code 9/);
  t.equal(graft.printed().match(/starting it again/g)?.length, 4);
});

t.test('a part that does not end in time is killed', async (t) => {
  const { start, processes } = await supervisor(t, { env: { SLOW: '600000', SHUTDOWN_SECONDS: '1' } });
  const graft = start();
  await graft.url();
  const pids = await processes();
  graft.child.kill('SIGTERM');
  t.equal(await graft.closed, 0);
  t.same(alive(pids), []);
});

t.test('a second Ctrl-C does not wait', async (t) => {
  const { start, processes } = await supervisor(t, { env: { SLOW: '600000', SHUTDOWN_SECONDS: '600' } });
  const graft = start();
  await graft.url();
  const pids = await processes();
  graft.child.kill('SIGINT');
  await sleep(600);
  graft.child.kill('SIGINT');
  t.equal(await graft.closed, 130);
  t.same(alive(pids), []);
});

t.test('when it is killed everything ends, and it can start again at once', async (t) => {
  const { start, processes } = await supervisor(t);
  const first = start();
  await first.url();
  const pids = await processes();
  first.child.kill('SIGKILL');
  await first.closed;
  const second = start();
  await second.url();
  t.ok(await allGone(pids, 5000));
  const later = (await processes()).slice(2);
  second.child.kill('SIGKILL');
  await second.closed;
  t.ok(await allGone(later, 10_000), 'also when nobody starts again');
});

t.test('settings that are not valid are all told, and nothing starts', async (t) => {
  const { start, processes } = await supervisor(t, { env: { PORT: 'eighty', CORS_ORIGINS: '*' } });
  const graft = start();
  t.equal(await graft.closed, 1);
  t.match(graft.printed(), /PORT="eighty".*\n.*CORS_ORIGINS="\*"/);
  t.same(await processes(), []);
});
