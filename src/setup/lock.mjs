import { mkdirSync, readFileSync, renameSync, rmSync, rmdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Making the folder and writing the pid into it takes a millisecond; a folder without a pid for this long is stale. */
const NAMELESS_MS = 5000;

/**
 * Hold the lock folder of `root`, waiting for whoever holds it.
 *  1. `mkdir` decides: who makes the folder holds the lock, and writes a pid into it.
 *  2. A lock whose process is gone is stale. Who makes the folder `heir` in it looks once more whether it still is, and
 *     takes it over; everybody else goes on waiting.
 * @param {string} root
 * @param {(pid: number) => void} onWait called once when there is somebody to wait for
 * @returns {Promise<() => void>} gives the lock back
 */
export async function takeLock(root, onWait) {
  const folder = join(root, '.setup-lock');
  for (let told = false; ; await sleep(100)) {
    if (made(folder)) break;
    const holder = holderOf(folder);
    if (holder === 'stale') {
      if (inherit(folder)) return releaser(folder);
    } else if (typeof holder === 'number' && !told) {
      told = true;
      onWait(holder);
    }
  }
  sign(folder);
  return releaser(folder);
}

function releaser(folder) {
  const release = () => rmSync(folder, { recursive: true, force: true });
  process.once('exit', release);
  return () => {
    process.removeListener('exit', release);
    release();
  };
}

function inherit(folder) {
  const heir = join(folder, 'heir');
  try {
    if (!made(heir)) return false;
    const stale = holderOf(folder) === 'stale';
    if (stale) sign(folder);
    rmdirSync(heir);
    return stale;
  } catch (error) {
    if (error.code === 'ENOENT') return false; // its holder gave it back meanwhile
    throw error;
  }
}

/** The pid of the living holder, 'stale', or undefined while that cannot be said. */
function holderOf(folder) {
  try {
    const pid = Number(readFileSync(join(folder, 'pid'), 'utf8'));
    return isAlive(pid) ? pid : 'stale';
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
  }
  const since = statSync(folder, { throwIfNoEntry: false })?.mtimeMs;
  return since !== undefined && Date.now() - since > NAMELESS_MS ? 'stale' : undefined;
}

function sign(folder) {
  const draft = join(folder, `pid.${process.pid}`);
  writeFileSync(draft, String(process.pid));
  renameSync(draft, join(folder, 'pid'));
}

function made(folder) {
  try {
    mkdirSync(folder);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
