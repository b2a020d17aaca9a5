import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';
import { changeKeyFile } from '../../src/access/key-file.js';
import { PACKAGE_ROOT } from '../../src/config.js';
import { until } from '../helpers/http.js';
import { redisForTest } from '../helpers/redis.js';

function start(env: NodeJS.ProcessEnv) {
  return spawnSync(process.execPath, [join(PACKAGE_ROOT, 'build', 'src', 'bin', 'server.js')], {
    env: { ...process.env, NODE_OPTIONS: '', REDIS_URL: 'redis://127.0.0.1:1', PORT: '0', ...env },
    encoding: 'utf8',
    timeout: 60_000,
  });
}

t.test('beyond loopback a server without keys makes one, shows it once, and lets nobody else in', async (t) => {
  const DATA_DIR = t.testdir({});
  const { url: redis } = await redisForTest(t);
  const run = async (env: NodeJS.ProcessEnv) => {
    const child = spawn(process.execPath, [join(PACKAGE_ROOT, 'build', 'src', 'bin', 'server.js')], {
      env: { ...process.env, NODE_OPTIONS: '', REDIS_URL: redis, HOST: '0.0.0.0', PORT: '0', DATA_DIR, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    t.teardown(() => child.kill('SIGKILL'));
    let [out, log] = ['', ''];
    child.stdout.on('data', (chunk) => {
      out += chunk;
    });
    child.stderr.on('data', (chunk) => {
      log += chunk;
    });
    await until(async () => /server is ready/.test(log), { timeoutMs: 60_000, what: 'the server' });
    const port = /"url":"http:\/\/[^"]*:(\d+)"/.exec(log)![1]!;
    const ask = async (path: string, key?: string) =>
      (await fetch(`http://127.0.0.1:${port}${path}`, { headers: key ? { authorization: `Bearer ${key}` } : {} }))
        .status;
    return { ask, said: () => out, log: () => log, stop: () => child.kill('SIGTERM') };
  };
  const first = await run({});
  await until(async () => /graft_/.test(first.said()), { what: 'the key' });
  const key = /^ {2}(graft_\S+)$/m.exec(first.said())![1]!;
  t.match(first.said(), `/#key=${key}`, 'with an address to sign in');
  t.notMatch(first.log(), key, 'no log has it');
  t.same(
    [await first.ask('/v1/models'), await first.ask('/v1/models', key), await first.ask('/metrics', key)],
    [401, 200, 200],
  );

  await changeKeyFile(join(DATA_DIR, 'keys.json'), (keys) => keys.filter(({ name }) => name !== 'first'));
  await until(async () => (await first.ask('/v1/models', key)) === 401, { what: 'the end of the key' });
  t.equal(await first.ask('/v1/models'), 401, 'without a key that is left nobody enters');
  first.stop();
  const second = await run({});
  t.notMatch(second.said(), /graft_/, 'a file that is there, even an empty one, is an answer');
  t.equal(await second.ask('/v1/models'), 401);
  second.stop();
});

t.test('wrong settings are named all at once, and a wrong key is not shown', (t) => {
  const { status, stderr } = start({ API_KEYS: 'alice:secret-in-clear', PORT: 'eighty', LOG_LEVEL: 'loud' });
  t.equal(status, 1);
  for (const name of ['API_KEYS', 'PORT', 'LOG_LEVEL']) t.match(stderr, name);
  t.notMatch(stderr, 'secret-in-clear');
  t.end();
});
