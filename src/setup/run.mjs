import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { constants as system } from 'node:os';
import { delimiter, join } from 'node:path';

/** Run a command quietly. Resolves to whether it succeeded, and all that it said. */
export function command([file, ...words], { cwd, env = {} } = {}) {
  return new Promise((done) => {
    const child = spawn(file, words, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        output += text;
      });
    }
    child.on('error', (error) => done({ ok: false, output: `${file}: ${error.message}` }));
    child.on('close', (code) => done({ ok: code === 0, output: output.trimEnd() }));
  });
}

/** Run a program in the foreground, hand signals on to it, and end as it ends. */
export async function runProgram(file, words) {
  const child = spawn(file, words, { stdio: 'inherit' });
  process.on('SIGINT', () => {}); // a terminal sends Ctrl-C to the program as well
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  process.exitCode = await new Promise((done, failed) => {
    child.on('error', failed);
    child.on('close', (code, signal) => done(code ?? 128 + system.signals[signal]));
  });
}

/** Whether a program can be found on the PATH. */
export function onPath(name) {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
