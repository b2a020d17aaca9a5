/**
 * The data folder lies on a file system of 24 MB (a tmpfs, so only where this user may mount one). It is filled by uploads
 * and by a file of somebody else, jobs run meanwhile, then room is made through the API.
 */
import { execFileSync } from 'node:child_process';
import { mkdtemp, open, rm, rmdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Dataset } from '../../src/schemas/datasets.js';
import { zip } from '../helpers/archives.js';
import { type Answer, until } from '../helpers/http.js';
import { photo, photos } from '../helpers/photos.js';
import { serveModel } from '../helpers/serve-model.js';
import { atLeast, atMost, exactly, type Figure, type RowOptions } from './figure.js';
import { auditAtRest } from './helpers/audit.js';
import { type Fleet, withFleet } from './helpers/fleet.js';
import { QUICK, slow, smallDataset } from './helpers/jobs.js';

export const name = 'Disk full';
export const goal = 'a 507 and nothing torn; all works again once there is room';

const DISK_MB = 24;
/** Of somebody else, from the beginning, so that the short form need not fill so much. */
const BALLAST_MB = 16;

export async function run({ long, log }: RowOptions): Promise<Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), 'graft-disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MB}m`, 'tmpfs', folder], { stdio: 'pipe' });
  } catch (error) {
    await rmdir(folder);
    log(`this user may not mount a small file system: ${(error as Error).message.split('\n').at(-1)}`);
    return [];
  }
  try {
    return await withFleet({ light: !long, dataDir: join(folder, 'data') }, (fleet) => fill(fleet, folder, long, log));
  } finally {
    execFileSync('umount', ['--lazy', folder]);
    await rmdir(folder);
  }
}

async function fill(fleet: Fleet, folder: string, long: boolean, log: RowOptions['log']): Promise<Figure[]> {
  const answers: Answer[] = [];
  const note = (answer: Answer) => {
    answers.push(answer);
    return answer;
  };
  const small = await smallDataset(fleet, long ? 20 : 3);
  await serveModel({ dataDir: fleet.dataDir, model: 'served' });
  if (!long) await writeFile(join(folder, 'ballast'), Buffer.alloc(BALLAST_MB * 2 ** 20));
  const picture = await photo(0, 1);
  const archive = zip((await photos(['left', 'right'], 40, { size: 220 })).map((file) => ({ ...file, stored: true })));
  const uploadOne = () => fleet.send('/v1/datasets', { method: 'POST', body: archive });
  const postJob = (settings: object) =>
    fleet.send('/v1/jobs', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...settings, dataset: small.id, model: 'tried' }),
    });
  let unserved = 0;
  let recoveredS = 0;
  let failed = 0;
  for (let round = 0; round < (long ? 5 : 1); round += 1) {
    const uploaded: string[] = [];
    for (;;) {
      const answer = note(await uploadOne());
      if (answer.status !== 201) break;
      uploaded.push((JSON.parse(answer.text) as Dataset).id);
    }
    // A job that runs when the last room goes: its features cannot be stored, its version cannot be published.
    const running = JSON.parse(note(await postJob(slow())).text) as { id?: string };
    const other = await eatTheRest(join(folder, 'other'));
    for (let n = 0; n < (long ? 5 : 2); n += 1) {
      note(await uploadOne());
      note(await postJob(QUICK));
      const { status } = await fleet.send('/v1/models/served/predict', { method: 'POST', body: picture });
      if (status !== 200) unserved += 1;
    }
    if (running.id) {
      await until(
        async () => {
          const job = await fleet.job(running.id!);
          return job.status !== 'queued' && job.attempt > 0;
        },
        { timeoutMs: 20_000 },
      ).catch(() => undefined);
    }
    const began = performance.now();
    await other.remove();
    for (const id of uploaded) note(await fleet.send(`/v1/datasets/${id}`, { method: 'DELETE' }));
    await until(
      async () => {
        const { status, text } = await postJob(QUICK);
        return status === 202 && (await fleet.ended((JSON.parse(text) as { id: string }).id)).status === 'succeeded';
      },
      { timeoutMs: 60_000, what: 'a job after room was made' },
    );
    if (note(await uploadOne()).status !== 201) failed += 1;
    recoveredS = Math.max(recoveredS, (performance.now() - began) / 1000);
    if (running.id) {
      const { status, error } = await fleet.ended(running.id);
      log(`the job that met the full disk ${status}${error ? `: ${error.code}` : ''}`);
    }
    for (const { id } of (await fleet.json<{ data: { id: string }[] }>('/v1/datasets')).data) {
      if (id !== small.id) note(await fleet.send(`/v1/datasets/${id}`, { method: 'DELETE' }));
    }
  }
  const found = await auditAtRest(fleet.dataDir);
  for (const fault of [...found.torn, ...found.garbage].slice(0, 10)) log(fault);
  const of = (status: number) => answers.filter((answer) => answer.status === status).length;
  const other = answers.filter(({ status }) => ![201, 202, 204, 507].includes(status));
  for (const { status, text } of other.slice(0, 5)) log(`${status} ${text.slice(0, 300)}`);
  return [
    atLeast('answers 507', of(507), 1),
    exactly('other failures', other.length, 0),
    exactly('predictions refused', unserved, 0),
    exactly('torn', found.torn.length, 0),
    exactly('files without an owner', found.garbage.length + found.temporary.length, 0),
    exactly('uploads refused with room', failed, 0),
    // In the short form other tests share the cores.
    atMost('works again after, most', recoveredS, long ? 30 : 120, 's'),
  ];
}

/** A file that takes what room is left. */
async function eatTheRest(path: string): Promise<{ remove(): Promise<void> }> {
  const file = await open(path, 'w');
  try {
    for (const size of [1 << 20, 4096]) {
      const bytes = Buffer.alloc(size);
      for (;;) {
        try {
          await file.write(bytes);
        } catch {
          break; // ENOSPC
        }
      }
    }
  } finally {
    await file.close();
  }
  return { remove: () => rm(path) };
}
