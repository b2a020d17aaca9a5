/**
 * Uploads that are cut off at every percent, that do not have the digest they announce, and fifty at once. What is stored must
 * be whole, by its digests, and nothing else may be left.
 */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { checkData } from '../../src/maintenance/check-data.js';
import type { Dataset } from '../../src/schemas/datasets.js';
import { FileStorage } from '../../src/storage/file-storage.js';
import { tar, zip } from '../helpers/archives.js';
import { filesBelow, form, inParallel, send, until } from '../helpers/http.js';
import { photos } from '../helpers/photos.js';
import { type TestService, withService } from '../helpers/service.js';
import { atLeast, atMost, exactly, type Figure, type RowOptions } from './figure.js';

export const name = 'Uploads are whole';
export const goal = 'what was cut off or does not have its digest is not stored, and leaves nothing';

/** Beyond the memory of the first uploads: four archives are unpacked at once, with at most 64 MiB of images each. */
const MAX_GROWTH_MB = 300;

export async function run({ long, log }: RowOptions): Promise<Figure[]> {
  return withService({ worker: false, env: { LOG_LEVEL: 'error' } }, async (service) => {
    const files = await photos(['a', 'b'], long ? 60 : 20, { size: 200 });
    const archives: Record<string, Buffer> = {
      zip: zip(files.map((file) => ({ ...file, stored: true }))),
      tar: tar(files),
      'tar.gz': gzipSync(tar(files)),
    };
    const counts = { tried: 0, wrong: 0 };
    const wrong = (what: string) => {
      counts.wrong += 1;
      log(what);
    };
    const percents = Array.from({ length: 99 }, (_, i) => i + 1).filter((percent) => long || percent % 11 === 0);
    for (const [kind, archive] of Object.entries(archives)) {
      await inParallel(percents, 4, async (percent) => {
        const cut = Math.floor((archive.length * percent) / 100);
        // The connection breaks; the archive ends too early and says so by its digest; it ends too early and says nothing.
        for (const [how, request] of Object.entries({
          'broken off': { body: archive, cutAt: cut },
          'broken off in a form': { ...form([{ name: 'file', value: archive, filename: 'x' }]), cutAt: cut },
          'cut, with its digest': { body: archive.subarray(0, cut), headers: { 'repr-digest': digestOf(archive) } },
          cut: { body: archive.subarray(0, cut) },
        })) {
          counts.tried += 1;
          const { status, text } = await send(service.url, '/v1/datasets', { method: 'POST', ...request });
          if (status >= 500 || (status >= 200 && status < 300))
            wrong(`${kind} ${how} at ${percent} %: ${status} ${text.slice(0, 200)}`);
        }
      });
    }
    for (const archive of Object.values(archives)) {
      const other = digestOf(Buffer.concat([archive, Buffer.from('x')]));
      for (const header of [other, `sha-512=:AA==:, ${other}`, 'sha-256=:AA==:', 'sha-256=x']) {
        counts.tried += 1;
        const answer = await send(service.url, '/v1/datasets', {
          method: 'POST',
          body: archive,
          headers: { 'repr-digest': header },
        });
        if (![400, 422].includes(answer.status)) wrong(`Repr-Digest ${header}: ${answer.status}`);
      }
    }
    const stored = await leftOf(service, wrong, log);
    if (stored.datasets > 0) wrong(`${stored.datasets} data sets are there, of which none was sent whole`);

    const atOnce = long ? 50 : 12;
    const upload = async (n: number): Promise<Dataset> => {
      const own = await photos(['a', 'b'], 2, { seed: n + 1, size: 64 });
      const archive = zip([...files, ...own].map((file, i) => ({ ...file, name: `${i % 2}/${i}.jpg`, stored: true })));
      const headers = { 'repr-digest': digestOf(archive) };
      const answer = await send(service.url, '/v1/datasets', {
        method: 'POST',
        body: archive,
        headers,
        timeoutMs: 300_000,
      });
      if (answer.status !== 201) throw new Error(`upload ${n}: ${answer.status} ${answer.text}`);
      const dataset = JSON.parse(answer.text) as Dataset;
      if (dataset.sha256 !== createHash('sha256').update(archive).digest('hex'))
        wrong(`${dataset.id} has another digest`);
      return dataset;
    };
    await Promise.all([upload(1000), upload(1001), upload(1002), upload(1003)]); // what the first ones load stays
    forgetPeak(service);
    const memoryBefore = peakMb(service);
    const began = Date.now();
    await Promise.all(Array.from({ length: atOnce }, (_, n) => upload(n)));
    const seconds = (Date.now() - began) / 1000;
    const growth = peakMb(service) - memoryBefore;
    const end = await leftOf(service, wrong, log);
    if (end.datasets !== atOnce + 4) wrong(`${end.datasets} data sets are stored, of ${atOnce + 4}`);
    log(`${atOnce} at once in ${seconds.toFixed(1)} s, peak memory ${peakMb(service).toFixed(0)} MB`);
    return [
      atLeast('uploads that were not whole', counts.tried, percents.length * 12),
      atLeast('uploads at once', atOnce, long ? 50 : 12),
      exactly('stored wrong', counts.wrong, 0),
      exactly('temporary files', stored.temporary + end.temporary, 0),
      atMost('memory growth', growth, MAX_GROWTH_MB, 'MB'),
    ];
  });
}

/** Look through the whole data folder, digest by digest. */
async function leftOf({ dataDir }: TestService, wrong: (what: string) => void, log: (line: string) => void) {
  const storage = new FileStorage({ root: dataDir });
  const left = () => filesBelow(join(dataDir, '.tmp'));
  // Uploads that were broken off are tidied away when the server notices.
  await until(async () => (await left()).length === 0, { timeoutMs: 10_000 }).catch(() => undefined);
  const temporary = await left();
  for (const path of temporary) log(`left: .tmp/${path}`);
  const { checked, findings } = await checkData({ storage, repair: false, olderThanMs: 0 });
  for (const { path, message } of findings) wrong(`${path}: ${message}`);
  return { datasets: checked.datasets, temporary: temporary.length };
}

/** Highest memory of the server so far; 0 where there is no /proc. */
function peakMb({ server }: TestService): number {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))![1]) / 1024;
  } catch {
    return 0;
  }
}

/** From here on the highest memory is that of now. */
function forgetPeak({ server }: TestService): void {
  try {
    writeFileSync(`/proc/${server.pid}/clear_refs`, '5');
  } catch {
    // then the growth is that beyond the highest so far
  }
}

function digestOf(bytes: Buffer): string {
  return `sha-256=:${createHash('sha256').update(bytes).digest('base64')}:`;
}
