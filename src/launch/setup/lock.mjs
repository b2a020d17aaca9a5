import { mkdirSync, readFileSync, renameSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Making the folder and writing the pids into it takes a millisecond; a folder without one for this long is stale. */
const NAMELESS_MS = 5000;

/**
 * Hold the lock folder of `root`, waiting for whoever holds it.
 *  1. `mkdir` decides: who makes the folder holds the lock, and writes its pid into it, and those of its commands: an
 *     `npm ci` goes on when the set-up that started it is killed.
 *  2. A lock whose processes are all gone is stale. Who makes the folder `heir` in it looks once more whether it still is, and
 *     takes it over; everybody else goes on waiting.
 * @param {string} root
 * @param {(pid: number) => void} onWait called once when there is somebody to wait for
 * @returns {Promise<{release: () => void, share: (pid: number) => void}>} `release` gives the lock back, `share` makes
 *   it last as long as another process
 */
export async function takeLock(root, onWait) {
  const folder = join(root, '.setup-lock');
  for (let told = false; ; await sleep(100)) {
    if (made(folder)) break;
    const holder = holderOf(folder);
    if (holder === 'stale') {
      if (inherit(folder)) return lockIn(folder);
    } else if (typeof holder === 'number' && !told) {
      told = true;
      onWait(holder);
    }
  }
  sign(folder, [process.pid]);
  return lockIn(folder);
}

function lockIn(folder) {
  const remove = () => rmSync(folder, { recursive: true, force: true });
  process.once('exit', remove);
  return {
    share: (pid) => sign(folder, [process.pid, pid]),
    release() {
      process.removeListener('exit', remove);
      remove();
    },
  };
}

function inherit(folder) {
  const heir = join(folder, 'heir');
  try {
    if (!made(heir)) return false;
    const stale = holderOf(folder) === 'stale';
    if (stale) sign(folder, [process.pid]);
    rmdirSync(heir);
    return stale;
  } catch (error) {
    if (error.code === 'ENOENT') return false; // its holder gave it back meanwhile
    throw error;
  }
}

/** The pid of a living holder, 'stale', or undefined while that cannot be said. */
function holderOf(folder) {
  try {
    const pids = readFileSync(join(folder, 'pids'), 'utf8').split(' ').map(Number);
    return pids.find(isAlive) ?? 'stale';
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
  }
  const since = statSync(folder, { throwIfNoEntry: false })?.mtimeMs;
  return since !== undefined && Date.now() - since > NAMELESS_MS ? 'stale' : undefined;
}

function sign(folder, pids) {
  const draft = join(folder, `pids.${process.pid}`);
  writeFileSync(draft, pids.join(' '));
  renameSync(draft, join(folder, 'pids'));
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
