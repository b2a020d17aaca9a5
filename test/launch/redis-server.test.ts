import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { Redis } from 'ioredis';
import t, { type Test } from 'tap';
import { startRedis } from '../../src/launch/redis-server.js';
import { redisAddress } from '../../src/redis/url.js';
import { redisForTest } from '../helpers/redis.js';

async function temporaryFolder(t: Pick<Test, 'teardown'>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'graft-redis-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

function connect(t: Test, url: string): Redis {
  const client = new Redis({ ...redisAddress(url), maxRetriesPerRequest: 1, retryStrategy: () => null });
  client.on('error', () => {});
  t.teardown(() => client.disconnect());
  return client;
}

/** A process of its own that starts a Redis in `folder`, tells its pid and url, and then waits for its end. */
async function ownerOf(t: Test, folder: string) {
  const module = pathToFileURL(join(import.meta.dirname, '../../src/launch/redis-server.js')).href;
  const program = `
    const { startRedis } = await import(${JSON.stringify(module)});
    const { pid, url } = await startRedis({ folder: ${JSON.stringify(folder)} });
    process.send({ pid, url });
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  const [{ pid, url }] = (await once(child, 'message')) as [{ pid: number; url: string }];
  return { child, pid, url };
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function gone(pid: number): Promise<boolean> {
  for (let i = 0; i < 100 && isAlive(pid); i++) await sleep(100);
  return !isAlive(pid);
}

t.test('it answers on a unix socket that only the user may open, and evicts nothing', async (t) => {
  const redis = await redisForTest(t);
  t.match(redis.url, /^unix:\/\/\/.*\/redis\.sock$/);
  t.equal((await stat(redisAddress(redis.url).path!)).mode & 0o777, 0o700);
  const client = connect(t, redis.url);
  t.same(await client.config('GET', 'maxmemory-policy'), ['maxmemory-policy', 'noeviction']);
  t.same(await client.config('GET', 'save'), ['save', '']);
});

t.test('where the path of the socket would be too long, it is a loopback port with a password', async (t) => {
  const folder = join(await temporaryFolder(t), 'x'.repeat(100));
  const redis = await startRedis({ folder });
  t.match(redis.url, /^redis:\/\/:[0-9a-f]{64}@127\.0\.0\.1:\d+$/);
  t.equal(await connect(t, redis.url).ping(), 'PONG');
  const stranger = new URL(redis.url);
  stranger.password = '';
  await t.rejects(connect(t, stranger.href).set('k', 'v'));
  await redis.stop();
});

t.test('what was written is there after a stop and a start, and a stop leaves no process', async (t) => {
  const folder = await temporaryFolder(t);
  const first = await startRedis({ folder });
  await connect(t, first.url).set('k', 'kept');
  await first.stop();
  await first.exited;
  t.notOk(isAlive(first.pid));
  const second = await startRedis({ folder });
  t.equal(second.url, first.url);
  t.equal(await connect(t, second.url).get('k'), 'kept');
  await second.stop();
});

t.test('a second owner of the same folder is refused while the first lives', async (t) => {
  const folder = await temporaryFolder(t);
  const { pid } = await ownerOf(t, folder);
  await t.rejects(startRedis({ folder }), { code: 'data_folder_in_use' });
  t.ok(isAlive(pid));
});

t.test('when its owner is killed, a start at once takes over, with the data', async (t) => {
  const folder = await temporaryFolder(t);
  const before = await ownerOf(t, folder);
  await connect(t, before.url).set('k', 'kept');
  before.child.kill('SIGKILL');
  await once(before.child, 'exit');
  const redis = await startRedis({ folder });
  t.notOk(isAlive(before.pid));
  t.equal(await connect(t, redis.url).get('k'), 'kept');
  await redis.stop();
});

t.test('when its owner is killed and nobody comes, Redis ends by itself', async (t) => {
  const { child, pid } = await ownerOf(t, await temporaryFolder(t));
  child.kill('SIGKILL');
  t.ok(await gone(pid));
});

t.test('a Redis that cannot start says why', async (t) => {
  const folder = await temporaryFolder(t);
  const redis = await startRedis({ folder });
  await redis.stop();
  const manifest = join(folder, 'appendonlydir', 'appendonly.aof.manifest');
  t.ok(await readFile(manifest, 'utf8'));
  await writeFile(manifest, 'nonsense');
  await t.rejects(startRedis({ folder }), { code: 'redis_failed', message: /nonsense|redis\.log/ });
});

t.test('without the program there is one sentence that says what to do', async (t) => {
  const folder = await temporaryFolder(t);
  const { PATH } = process.env;
  process.env.PATH = folder;
  t.teardown(() => {
    process.env.PATH = PATH;
  });
  await t.rejects(startRedis({ folder }), { code: 'redis_missing', message: /install redis-server/ });
});

t.test('a start that is given up leaves nothing', async (t) => {
  await t.rejects(startRedis({ folder: await temporaryFolder(t), signal: AbortSignal.abort(new Error('enough')) }), {
    message: 'enough',
  });
});
