import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { recogniseFormat } from '../../../src/datasets/archives/archive-format.js';
import { READS_ZSTD } from '../../../src/datasets/archives/decompressor.js';
import { tar, zip } from '../../helpers/archives.js';
import { image } from '../../helpers/datasets.js';

t.test('formats are known by their bytes', async (t) => {
  const path = join(t.testdir(), 'archive.jpg');
  const oldTar = tar([{ name: 'cat/1.jpg' }]);
  // Before POSIX there was no magic word; the checksum is all there is. Eight bytes of `ustar` and version go to zero.
  const sum = oldTar.subarray(257, 265).reduce((total, byte) => total + byte, 0);
  const written = Number.parseInt(oldTar.toString('latin1', 148, 154), 8);
  oldTar.fill(0, 257, 265).write((written - sum).toString(8).padStart(6, '0'), 148);
  const known: [bytes: Buffer, format: string][] = [
    [zip([{ name: 'a' }]), 'zip'],
    [zip([]), 'zip'],
    [tar([{ name: 'a' }]), 'tar'],
    [tar([]), 'tar'],
    [oldTar, 'tar'],
    [gzipSync(tar([{ name: 'a', bytes: Buffer.alloc(100_000, 'x') }])), 'tar.gz'],
  ];
  for (const [bytes, format] of known) {
    await writeFile(path, bytes);
    t.equal(await recogniseFormat(path), format);
  }
});

t.test('all else is refused, and the sentence says what is accepted', async (t) => {
  const path = join(t.testdir(), 'archive.zip');
  const others: [bytes: Buffer | string, message: RegExp][] = [
    ['BZh91AY&SY', /bzip2/],
    [Buffer.from('fd377a585a0000', 'hex'), /an? xz/],
    [Buffer.from('377abcaf271c0004', 'hex'), /7z/],
    ['Rar!\x1a\x07', /RAR/],
    [await image('x'), /no archive/],
    ['just text', /no archive/],
    [gzipSync('just text'), /no tar and no table lies in it/],
    [gzipSync('x'.repeat(10_000)), /no tar and no table lies in it/],
  ];
  for (const [bytes, message] of others) {
    await writeFile(path, bytes);
    await t.rejects(recogniseFormat(path), { code: 'not_an_archive', message }, String(message));
    await t.rejects(recogniseFormat(path), { message: /zip, a tar or a tar\.gz/ });
  }
});

t.test('Zstandard is called by its name, whether this Node reads it or not', async (t) => {
  const path = join(t.testdir(), 'archive.zip');
  await writeFile(path, Buffer.from('28b52ffd00', 'hex'));
  const code = READS_ZSTD ? 'archive_damaged' : 'not_an_archive';
  await t.rejects(recogniseFormat(path), { code, message: /Zstandard/ });
  if (!READS_ZSTD) await t.rejects(recogniseFormat(path), { message: /zip, a tar or a tar\.gz/ });
});

t.test('an empty upload and broken gzip have their own codes', async (t) => {
  const path = join(t.testdir(), 'archive');
  await writeFile(path, '');
  await t.rejects(recogniseFormat(path), { code: 'archive_empty' });
  await writeFile(path, gzipSync(tar([{ name: 'a' }])).subarray(0, 20));
  await t.rejects(recogniseFormat(path), { code: 'archive_damaged' });
});
