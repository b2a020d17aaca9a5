/**
 * `npm run test:tfjs-node [-- FILE …]`: the tests on TensorFlow's native library. The install script of `@tensorflow/tfjs-node`
 * wants a download that is not to be had everywhere. TensorFlow's wheel on PyPI carries the same C library: it is laid
 * out as that download is, and served on loopback to the package's own install script, which builds the addon.
 * A copy of the project is used, with packages of its own, in GRAFT_TFJS_NODE, else in a folder for temporary files.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { createReadStream, existsSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { CopiedTree, installNode } from '../helpers/copied-tree.js';

/** The first wheel whose C library stands alone; that of 2.9, which the package was written for, is part of a Python module. */
const WHEEL = ['tensorflow-cpu==2.12.1', '--python-version=3.10', '--platform=manylinux_2_17_x86_64'];
const DOWNLOAD = 'libtensorflow-cpu-linux-x86_64-2.9.1.tar.gz';
const ENGINE = "import('./build/src/heads/engine.js').then((m) => m.loadEngine()).then((e) => console.log(e.name))";

const missing = whatIsMissing();
if (missing) {
  console.log(`skipped: ${missing}`);
  process.exit(0);
}
const folder = process.env.GRAFT_TFJS_NODE ?? join(tmpdir(), 'graft-tfjs-node');
mkdirSync(folder, { recursive: true });
const library = layOut();
if (library === undefined) {
  console.log('skipped: PyPI does not answer with the wheel of TensorFlow.');
  process.exit(0);
}
const tree = new CopiedTree(folder);
const engine = join(tree.root, 'node_modules', '@tensorflow', 'tfjs-node');
if (!existsSync(join(engine, 'deps', 'lib', 'libtensorflow.so'))) {
  console.log('Installing packages, and building the addon of @tensorflow/tfjs-node …');
  tree.installPackages();
  await installEngine();
}
tree.node([join('src', 'bin', 'setup.mjs'), 'settings', '--check']); // compiles
const name = tree.node(['-e', ENGINE]).trim().split('\n').at(-1)!;
console.log(`The engine is ${name}.`);
if (!name.startsWith('tfjs-node')) process.exit(1);
process.exit(await tree.test(process.argv.slice(2)));

/** What this machine lacks, as a sentence. */
function whatIsMissing(): string | undefined {
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'this lays out the library of Linux on x64 only.';
  if (Number(process.versions.node.split('.')[0]) > 22) return '@tensorflow/tfjs-node runs on Node 22 at most.';
  for (const [program, word] of [
    ['g++', '--version'],
    ['make', '--version'],
    ['python3', '-mpip'], // without a command it shows its help
    ['tar', '--version'],
  ] as const) {
    if (spawnSync(program, [word]).status !== 0) return `${program} ${word === '-mpip' ? '-m pip ' : ''}is needed.`;
  }
  return undefined;
}

/** The file that the install script downloads; undefined where the wheel cannot be had. */
function layOut(): string | undefined {
  const file = join(folder, DOWNLOAD);
  if (existsSync(file)) return file;
  const wheels = join(folder, 'wheel');
  const words = ['-m', 'pip', 'download', '--quiet', '--no-deps', '--only-binary=:all:', '--dest', wheels, ...WHEEL];
  if (spawnSync('python3', words, { stdio: ['ignore', 'ignore', 'inherit'] }).status !== 0) return undefined;
  const from = join(folder, 'unpacked');
  execFileSync('python3', ['-m', 'zipfile', '-e', join(wheels, readdirSync(wheels)[0]!), from]);
  const inside = join(from, 'tensorflow');
  const lib = join(inside, 'lib');
  mkdirSync(lib, { recursive: true });
  for (const each of ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2'])
    renameSync(join(inside, each), join(lib, each));
  symlinkSync('libtensorflow_cc.so.2', join(lib, 'libtensorflow.so'));
  symlinkSync('libtensorflow_cc.so.2', join(lib, 'libtensorflow.so.2.9.1'));
  symlinkSync('libtensorflow_framework.so.2', join(lib, 'libtensorflow_framework.so'));
  const made = `${file}.part`;
  execFileSync('tar', ['--create', '--file', made, '--use-compress-program=gzip -1', '-C', inside, 'include', 'lib']);
  renameSync(made, file);
  rmSync(wheels, { recursive: true });
  rmSync(from, { recursive: true });
  return file;
}

/** The package's own install script, with the download and Node's headers at hand. */
async function installEngine(): Promise<void> {
  const server = createServer((request, response) => {
    if (request.url !== `/tensorflow/libtensorflow/${DOWNLOAD}`) return void response.writeHead(404).end();
    createReadStream(library!).pipe(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const headers = installNode(process.versions.node, folder);
  const without = ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'https_proxy'].map((key) => [key, ''] as const);
  const env = {
    ...Object.fromEntries(without),
    PATH: [join(tree.root, 'node_modules', '.bin'), process.env.PATH].join(delimiter),
    TFJS_NODE_CDN_STORAGE: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    npm_config_nodedir: headers,
  };
  // Beside this process, which is the server.
  const running = spawn('node', ['scripts/install.js'], {
    cwd: engine,
    env: { ...process.env, ...env },
    stdio: 'inherit',
  });
  const status = await new Promise((resolve) => running.on('exit', resolve));
  server.close();
  if (status !== 0) throw new Error(`The install script of @tensorflow/tfjs-node ended with ${status}.`);
}
