import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import t, { type Test } from 'tap';
import { PACKAGE_ROOT } from '../../src/config.js';

/** Without what tap makes each process of Node load. */
const ENV: NodeJS.ProcessEnv = { ...process.env, NODE_OPTIONS: '' };

/** A stand-in for the compiler: slow, counts its runs, and copies sources. */
const COMPILER = `
const fs = require('node:fs');
fs.appendFileSync('runs', 'x');
if (fs.readFileSync('src/bin/hello.ts', 'utf8').includes('fault')) { console.log('hello.ts(1,1): a fault'); process.exit(2); }
fs.mkdirSync('build/src/bin', { recursive: true });
for (const name of fs.readdirSync('src/bin').filter((name) => name.endsWith('.ts')))
  fs.copyFileSync('src/bin/' + name, 'build/src/bin/' + name.replace('.ts', '.js'));
setTimeout(() => {}, 300);`;

/** A project with our set-up, one source, and packages that are already there. */
async function project(t: Test) {
  const root = t.testdir({
    'package.json': '{"type":"module"}',
    'package-lock.json': '{}',
    'tsconfig.json': '{}',
    src: { bin: { 'hello.ts': 'console.log("hello", ...process.argv.slice(2));', 'gone.ts': '' } },
    node_modules: {
      '.package-lock.json': '{}',
      typescript: { bin: { tsc: COMPILER }, 'package.json': '{"type":"commonjs"}' },
      '.bin': {},
    },
  });
  for (const part of ['bin/setup.mjs', 'launch/setup']) {
    await cp(join(PACKAGE_ROOT, 'src', part), join(root, 'src', part), { recursive: true });
  }
  return {
    root,
    compilations: async () => (await readFile(join(root, 'runs'), 'utf8')).length,
    start(words: string[], env: NodeJS.ProcessEnv = ENV) {
      const child = spawn(process.execPath, [join(root, 'src', 'bin', 'setup.mjs'), ...words], { cwd: root, env });
      t.teardown(() => child.kill('SIGKILL'));
      return child;
    },
    async run(words: string[], env: NodeJS.ProcessEnv = ENV) {
      const child = this.start(words, env);
      const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
      return { out, err, code };
    },
  };
}

async function program(root: string, source: string): Promise<void> {
  await writeFile(join(root, 'node_modules', '.bin', 'program'), `#!${process.execPath}\n${source}`, { mode: 0o755 });
}

t.test('an entry is compiled once and gets its arguments', async (t) => {
  const graft = await project(t);
  t.match(await graft.run(['hello', 'a', '--b']), { out: 'hello a --b\n', err: /^Compiling … \d+ s\n$/, code: 0 });
  t.match(await graft.run(['hello']), { out: 'hello\n', err: '', code: 0 });
  t.equal(await graft.compilations(), 1);
});

t.test('a changed source is compiled again, and what was made of a removed one goes', async (t) => {
  const graft = await project(t);
  await graft.run(['hello']);
  t.ok(existsSync(join(graft.root, 'build/src/bin/gone.js')));
  await rm(join(graft.root, 'src/bin/gone.ts'));
  await writeFile(join(graft.root, 'src/bin/hello.ts'), 'console.log("changed");');
  t.match(await graft.run(['hello']), { out: 'changed\n', code: 0 });
  t.notOk(existsSync(join(graft.root, 'build/src/bin/gone.js')));
});

t.test('what does not compile is told in the words of the compiler, and compiled again next time', async (t) => {
  const graft = await project(t);
  await writeFile(join(graft.root, 'src/bin/hello.ts'), 'fault');
  for (let i = 0; i < 2; i++) {
    t.match(await graft.run(['hello']), { err: /hello\.ts\(1,1\): a fault.*do not compile/s, code: 1 });
  }
});

t.test('two set-ups at once do the work once', async (t) => {
  const graft = await project(t);
  const both = await Promise.all([graft.run(['hello']), graft.run(['hello'])]);
  t.match(both, [{ code: 0 }, { code: 0 }]);
  t.equal(await graft.compilations(), 1);
  t.match(both.map(({ err }) => err).join(''), /Waiting for another set-up \(process \d+\)/);
});

t.test('the lock of a killed set-up is taken over, by one', async (t) => {
  const graft = await project(t);
  await mkdir(join(graft.root, '.setup-lock'));
  await writeFile(join(graft.root, '.setup-lock', 'pids'), '999999999');
  const all = await Promise.all(Array.from({ length: 4 }, () => graft.run(['hello'])));
  t.match(all, Array(4).fill({ code: 0, out: 'hello\n' }));
  t.equal(await graft.compilations(), 1);
  t.notOk(existsSync(join(graft.root, '.setup-lock')));
});

t.test('a program is run with its arguments, and its exit code is ours', async (t) => {
  const graft = await project(t);
  await program(graft.root, 'console.log(...process.argv.slice(2)); process.exitCode = 7;');
  t.match(await graft.run(['--run', 'program', '--redis', 'x']), { out: '--redis x\n', code: 7 });
});

t.test('a signal reaches the program, and we end when it has ended', async (t) => {
  const graft = await project(t);
  await program(
    graft.root,
    'process.on("SIGTERM", () => setTimeout(() => { console.log("cleaned up"); process.exit(3); }, 50)); console.log("up"); setInterval(() => {}, 1000);',
  );
  const child = graft.start(['--run', 'program']);
  const [first] = await once(child.stdout.setEncoding('utf8'), 'data');
  t.equal(first, 'up\n');
  child.kill('SIGTERM');
  const [rest, [code]] = await Promise.all([text(child.stdout), once(child, 'close')]);
  t.equal(rest, 'cleaned up\n');
  t.equal(code, 3);
});

t.test('without a redis-server, and nobody to install one, a sentence says what to do', async (t) => {
  const graft = await project(t);
  const { REDIS_URL: _, ...env } = ENV;
  const PATH = join(graft.root, 'empty');
  t.match(await graft.run(['--redis', 'hello'], { ...env, PATH }), {
    out: '',
    err: /There is no redis-server on this machine: install redis-server, or set REDIS_URL/,
    code: 1,
  });
  t.match(await graft.run(['--redis', 'hello'], { ...env, PATH, REDIS_URL: 'redis://elsewhere' }), { code: 0 });
});

t.test('settings in .env are read; what is set already holds, and a name of its own is left alone', async (t) => {
  const graft = await project(t);
  await writeFile(join(graft.root, 'src', 'bin', 'hello.ts'), 'console.log(process.env.PORT, process.env.LOG_LEVEL);');
  await writeFile(join(graft.root, '.env'), '# mine\nPORT=9999\nLOG_LEVEL="debug"\n');
  t.match(await graft.run(['hello']), { code: 0, out: /^9999 debug/ });
  t.match(await graft.run(['hello'], { ...ENV, PORT: '1' }), { code: 0, out: /^1 debug/ });
});

t.test('who cannot have Redis installed hears it first, with what to do, and nothing is fetched', async (t) => {
  const graft = await project(t);
  await rm(join(graft.root, 'node_modules'), { recursive: true });
  await mkdir(join(graft.root, 'empty'));
  const { code, err } = await graft.run(['--redis', 'hello'], {
    ...ENV,
    PATH: join(graft.root, 'empty'),
    REDIS_URL: '',
  });
  t.equal(code, 1);
  t.match(err, /There is no redis-server.*install redis-server.*REDIS_URL/s);
  t.notMatch(err, /npm ci\) … \d/);
  t.notOk(existsSync(join(graft.root, 'node_modules')));
});
