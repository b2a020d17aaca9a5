import { join } from 'node:path';
import t from 'tap';
import { freeBytes, LOW_DISK_BYTES, lowDisks } from '../../src/storage/disk-space.js';

t.test('room is that of the nearest folder that is there', async (t) => {
  const folder = t.testdir();
  const free = await freeBytes(join(folder, 'not', 'there', 'yet'));
  t.ok(free > 0 && Number.isSafeInteger(free));
  const low = await lowDisks({ here: folder });
  t.equal(low.length, (await freeBytes(folder)) < LOW_DISK_BYTES ? 1 : 0);
});

t.test('a disk with less than 1 GiB is told in MB, under its name and not by its path', async (t) => {
  // The file systems of the kernel have no room at all.
  const linux = process.platform === 'linux';
  t.match(await lowDisks({ 'the cache': '/proc' }), linux ? [/^\d+ MB are left for the cache\.$/] : []);
});
