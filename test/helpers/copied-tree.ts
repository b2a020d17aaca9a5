/** A copy of this project with packages of its own: for trials on another Node, or with another engine. */
import { execFileSync, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, delimiter, dirname, join } from 'node:path';
import { PACKAGE_ROOT } from '../../src/config.js';

const LEFT_OUT = ['node_modules', 'build', '.git', 'data'];

/** What stands beside the project is linked beside the copy, so that tests find it. */
const BESIDE = 'shared';

export class CopiedTree {
  readonly root: string;
  readonly #env: NodeJS.ProcessEnv;

  /**
   * @param folder where the copy lies; a copy that is there already is replaced, its packages are kept
   * @param node folder of the `node` that programs there run on
   */
  constructor(folder: string, { node = dirname(process.execPath) }: { node?: string } = {}) {
    this.root = join(folder, 'tree');
    this.#env = { ...process.env, PATH: [node, process.env.PATH].join(delimiter) };
    mkdirSync(this.root, { recursive: true });
    for (const old of ['src', 'test', 'build']) rmSync(join(this.root, old), { recursive: true, force: true });
    cpSync(PACKAGE_ROOT, this.root, {
      recursive: true,
      filter: (path) => !LEFT_OUT.includes(basename(path)),
    });
    const beside = join(PACKAGE_ROOT, '..', BESIDE);
    if (existsSync(beside) && !existsSync(join(folder, BESIDE))) symlinkSync(beside, join(folder, BESIDE));
  }

  /** `npm ci`, without install scripts: those that matter are run by whoever needs them. */
  installPackages(): void {
    this.node([npm(), 'ci', '--ignore-scripts', '--no-audit', '--no-fund']);
  }

  /** Run a script to its end. @throws where it fails */
  node(args: string[], { cwd = this.root, env = {} }: { cwd?: string; env?: NodeJS.ProcessEnv } = {}): string {
    return execFileSync('node', args, { cwd, env: { ...this.#env, ...env }, encoding: 'utf8', maxBuffer: 2 ** 28 });
  }

  /** `npm test`, its words shown as they come. @returns its exit status */
  test(args: string[]): Promise<number> {
    const words = [npm(), 'test', '--', ...args];
    const running = spawn('node', words, { cwd: this.root, env: this.#env, stdio: 'inherit' });
    return new Promise((resolve, reject) => {
      running.on('error', reject).on('exit', (status) => resolve(status ?? 1));
    });
  }
}

/** The script of the npm that started this, else of the one that lies beside Node. */
export function npm(): string {
  const started = process.env.npm_execpath;
  if (started?.endsWith('.js')) return started;
  const library = join(dirname(process.execPath), '..', 'lib', 'node_modules', 'npm', 'bin', 'npm-cli.js');
  return existsSync(library) ? library : createRequire(import.meta.url).resolve('npm/bin/npm-cli.js');
}

/**
 * Node of npm's registry: programs and headers.
 * @param version such as `22` or `20.19`: the newest of these
 * @returns its folder, with `bin/node` and `include/node`
 */
export function installNode(version: string, folder: string): string {
  const name = `node-${process.platform}-${process.arch}`;
  const own = join(folder, `node-${version}`);
  mkdirSync(own, { recursive: true });
  const words = ['install', '--prefix', own, '--no-save', '--ignore-scripts', '--loglevel=error'];
  execFileSync('node', [npm(), ...words, `${name}@${version}`], { stdio: ['ignore', 'ignore', 'inherit'] });
  return join(own, 'node_modules', name);
}
