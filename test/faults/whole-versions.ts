/**
 * Storage fails at its k-th call, for every k: with an I/O error, a full disk, or the death of the process, before the call,
 * in the middle of a write, or after the call without anybody learning of it. Then every byte is hashed again, the same is
 * done once more as the next attempt would, and fsck collects what is left.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkData } from '../../src/maintenance/check-data.js';
import type { Finding } from '../../src/maintenance/finding.js';
import { FileStorage } from '../../src/storage/file-storage.js';
import { inParallel } from '../helpers/http.js';
import { atLeast, exactly, type Figure, type RowOptions } from './figure.js';
import { audit } from './helpers/audit.js';
import { type Fault, FaultyStorage, type Moment } from './helpers/faulty-storage.js';
import { life } from './helpers/life.js';

export const name = 'A version is whole or absent';
export const goal = 'whatever fails when, nothing torn is ever seen, and what is left is collected';

const FAULTS: [Fault, Moment][] = [
  ['EIO', 'before'],
  ['EIO', 'middle'],
  ['EIO', 'after'],
  ['ENOSPC', 'before'],
  ['ENOSPC', 'middle'],
  ['kill', 'before'],
  ['kill', 'middle'],
  ['kill', 'after'],
];

export async function run({ long, log }: RowOptions): Promise<Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), 'graft-whole-'));
  try {
    const calls = await countCalls(join(folder, 'dry'));
    const every = long ? 1 : 27;
    const points = FAULTS.flatMap(([fault, moment], index) =>
      Array.from({ length: calls }, (_, k) => ({ fault, moment, at: k + 1 })).filter(
        ({ at }) => (at + index) % every === 0,
      ),
    );
    log(`${calls} storage calls, ${points.length} points`);
    const faults: string[] = [];
    let [left, collected, unfinished, unmet] = [0, 0, 0, 0];
    await inParallel(points, 2, async (point) => {
      const root = join(folder, `${point.fault}-${point.moment}-${point.at}`);
      const where = `${point.fault} ${point.moment} call ${point.at}`;
      if (!(await fail(root, point))) unmet += 1;
      faults.push(...(await audit(root)).torn.map((fault) => `${where}: ${fault}`));
      const storage = new FileStorage({ root });
      await life({ storage, root, attempt: 2 }).catch((error: unknown) => {
        unfinished += 1;
        log(`${where}: the next attempt failed: ${error}`);
      });
      const after = await audit(root);
      faults.push(...after.torn.map((fault) => `${where}, then once more: ${fault}`));
      if (after.versions !== 1 || after.pending !== 0) {
        faults.push(`${where}: ${after.versions} versions, ${after.pending} pending`);
      }
      // What the next attempt does not take away, fsck does; a second one finds nothing.
      const first = await fsck(storage);
      collected += first.length;
      const rest = [...first.filter(({ severity }) => severity === 'damage'), ...(await fsck(storage))];
      for (const { kind, path } of rest) log(`${where}: ${kind} ${path}`);
      left += rest.length;
      await rm(root, { recursive: true });
    });
    for (const fault of faults.slice(0, 10)) log(fault);
    log(`fsck collected ${collected} things that the next attempt had left`);
    return [
      atLeast('crash points', points.length - unmet, long ? calls * FAULTS.length : points.length),
      exactly('torn', faults.length, 0),
      exactly('attempts after it that failed', unfinished, 0),
      exactly('findings of a second fsck, and damage', left, 0),
    ];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function fsck(storage: FileStorage): Promise<Finding[]> {
  const { findings } = await checkData({
    storage,
    maintenance: storage,
    repair: true,
    olderThanMs: 0,
  });
  return findings;
}

async function countCalls(root: string): Promise<number> {
  const storage = new FaultyStorage({ inner: new FileStorage({ root }), at: 0, fault: 'EIO', moment: 'before' });
  await life({ storage, root, attempt: 1 });
  const { torn, garbage, temporary } = await audit(root);
  const left = [...torn, ...garbage, ...temporary, ...(await readdir(join(root, 'pending')))];
  if (left.length > 0) throw new Error(`Without a fault this is left: ${left}`);
  return storage.calls;
}

/** @returns whether the fault was met */
async function fail(
  root: string,
  { fault, moment, at }: { fault: Fault; moment: Moment; at: number },
): Promise<boolean> {
  if (fault === 'kill') {
    const child = fork(join(import.meta.dirname, 'helpers', 'life.js'), [root, String(at), moment], {
      stdio: 'ignore',
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    const [, by] = await once(child, 'exit');
    return by === 'SIGKILL';
  }
  const storage = new FaultyStorage({ inner: new FileStorage({ root }), at, fault, moment });
  await life({ storage, root, attempt: 1 }).catch(() => undefined);
  return storage.calls >= at;
}
