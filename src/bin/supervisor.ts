/** Entry point of `npm start`: Redis, worker and server under one supervisor. */
import { fork } from 'node:child_process';
import { join } from 'node:path';
import type { Config } from '../config.js';
import { runSupervisor } from '../launch/run-supervisor.js';
import { openStorage } from '../storage/open-storage.js';

/** What lies in a data folder beside what is stored. */
const NOT_STORED = new Set(['.tmp', 'cache', 'redis']);
const entry = (name: string) => join(import.meta.dirname, `${name}.js`);

process.exitCode = await runSupervisor({
  env: process.env,
  entries: { server: entry('server'), worker: entry('worker') },
  prepare: fetchFirstBackbone,
});

/** Where nothing was ever stored, a process of its own fetches the backbone that most people want. It says how that goes. */
async function fetchFirstBackbone(config: Config): Promise<void> {
  if (config.DEFAULT_BACKBONE !== '') return;
  const { maintenance } = await openStorage(config);
  const stored = (await maintenance.topNames()).filter((name) => !NOT_STORED.has(name));
  if (stored.length > 0) return;
  const child = fork(entry('first-backbone'), []);
  const stop = () => {
    child.kill();
    process.exit(0);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop);
  await new Promise<void>((resolve) => {
    child.once('close', () => resolve());
    child.once('error', () => resolve());
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.off(signal, stop);
}
