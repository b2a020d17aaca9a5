import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { constants as system } from 'node:os';
import { delimiter, join } from 'node:path';

const ENDINGS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/**
 * Run a command quietly. Resolves to whether it succeeded, and all that it said.
 * A signal that ends this process ends the command first: two `npm ci` at once would spoil the folder.
 * @param {string[]} words
 * @param {{cwd?: string, env?: object, onStart?: (pid: number) => void}} options
 */
export function command([file, ...words], { cwd, env = {}, onStart } = {}) {
  return new Promise((done) => {
    const child = spawn(file, words, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    if (child.pid !== undefined) onStart?.(child.pid);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        output += text;
      });
    }
    let ending;
    const onSignal = (signal) => {
      ending = signal;
      child.kill(signal);
    };
    for (const signal of ENDINGS) process.on(signal, onSignal);
    const end = (result) => {
      for (const signal of ENDINGS) process.removeListener(signal, onSignal);
      if (ending) process.exit(128 + system.signals[ending]);
      done(result);
    };
    child.on('error', (error) => end({ ok: false, output: `${file}: ${error.message}` }));
    child.on('close', (code) => end({ ok: code === 0, output: output.trimEnd() }));
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
