import { Readable } from 'node:stream';
import { createGzip, gzipSync } from 'node:zlib';
import t from 'tap';
import { type TarFile, tar } from '../../helpers/archives.js';
import { datasetsIn, images } from '../../helpers/datasets.js';

const files = await images('cat/1.png', 'cat/2.png', 'dog/1.png');
const [cat1, cat2, dog] = files as [TarFile, TarFile, TarFile];

t.test('a tar is read plain, gzipped, and gzipped in several members', async (t) => {
  const { create } = datasetsIn(t.testdir());
  const plain = tar([{ name: './', type: '5' }, { name: 'cat/', type: '5' }, ...files]);
  t.match(await create(plain), { archive_format: 'tar', examples: 3, refused: [] });
  t.match(await create(gzipSync(plain)), { archive_format: 'tar.gz', examples: 3, refused: [] });
  const members = Buffer.concat([gzipSync(plain.subarray(0, 1000)), gzipSync(plain.subarray(1000))]);
  t.match(await create(members), { archive_format: 'tar.gz', examples: 3, refused: [] });
});

t.test('links, devices and pipes are refused one by one, and a file through a link is only a path', async (t) => {
  const { create, leftovers } = datasetsIn(t.testdir());
  const dataset = await create(
    tar([
      cat1,
      { name: 'out', type: '2', linkName: '/tmp' },
      { ...cat2, name: 'out/cat.png' },
      { name: 'h1', type: '1', linkName: 'cat/1.png' },
      { name: 'h2', type: '1', linkName: 'h1' },
      { name: 'cat/tty', type: '3' },
      { name: 'cat/disk', type: '4' },
      { name: 'cat/pipe', type: '6' },
      { name: 'cat/odd', type: 'Z' },
      dog,
    ]),
  );
  t.same(
    dataset.refused.map(({ name, code }) => [name, code]),
    ['out', 'h1', 'h2', 'cat/tty', 'cat/disk', 'cat/pipe', 'cat/odd'].map((name) => [name, 'not_a_regular_file']),
  );
  t.same(
    dataset.classes.map(({ label }) => label),
    ['cat', 'dog', 'out'],
  );
  t.same(await leftovers(), [dataset.id]);
});

t.test('a PAX path counts, and is checked', async (t) => {
  const { create } = datasetsIn(t.testdir());
  const dataset = await create(tar([cat1, { ...dog, name: 'cat/2.png', pax: { path: 'grün/ü.png' } }]));
  t.same(
    dataset.classes.map(({ label }) => label),
    ['cat', 'grün'],
  );
  const climbing = tar([cat1, { ...dog, pax: { path: '../../evil.png' } }]);
  await t.rejects(create(climbing), { code: 'archive_unsafe', details: { entry: '../../evil.png' } });
});

const failures: [what: string, archive: Buffer, error: { code: string; message?: RegExp }][] = [
  ['climbing', tar([cat1, { ...dog, name: '../dog/1.png' }]), { code: 'archive_unsafe', message: /\.\.\/dog/ }],
  ['a climbing folder', tar([cat1, { name: 'a/../../b/', type: '5' }]), { code: 'archive_unsafe' }],
  ['a climbing link', tar([cat1, { name: '../l', type: '2', linkName: 'x' }]), { code: 'archive_unsafe' }],
  ['absolute', tar([cat1, { ...dog, name: '/dog/1.png' }]), { code: 'archive_unsafe' }],
  ['a size that lies', tar([cat1, { ...dog, says: { bytes: 1e9 } }]), { code: 'archive_damaged' }],
  ['a PAX size that lies', tar([cat1, { ...dog, pax: { size: '-5' } }]), { code: 'archive_damaged' }],
  ['cut between two files', tar([cat1, dog], { end: false }), { code: 'archive_damaged', message: /no end marker/ }],
  ['garbage after it', Buffer.concat([tar([cat1, dog]), Buffer.alloc(512, 'x')]), { code: 'archive_damaged' }],
  [
    'garbage after gzip',
    Buffer.concat([gzipSync(tar([cat1, dog])), Buffer.from('garbage')]),
    { code: 'archive_damaged' },
  ],
  ['no files', tar([{ name: 'cat/', type: '5' }]), { code: 'archive_empty' }],
  ['nothing', tar([]), { code: 'archive_empty' }],
];

for (const [what, archive, error] of failures) {
  t.test(`a tar is refused as a whole, and nothing is left: ${what}`, async (t) => {
    const { create, leftovers } = datasetsIn(t.testdir());
    await t.rejects(create(archive), error);
    t.same(await leftovers(), []);
  });
}

t.test('a tar cut off anywhere is refused, gzipped or not', async (t) => {
  const { create, leftovers } = datasetsIn(t.testdir());
  const plain = tar(files);
  // The last 1024 bytes are the end marker, of which one block is enough.
  for (let length = 1; length < plain.length - 1024; length += 211) {
    await t.rejects(create(plain.subarray(0, length)), { name: 'AppError', status: /415|422/ }, `${length} bytes`);
  }
  for (let length = 512; length <= plain.length - 1024; length += 512) {
    await t.rejects(create(plain.subarray(0, length)), { code: 'archive_damaged' }, `${length} bytes`);
  }
  const zipped = gzipSync(plain);
  for (let length = 1; length < zipped.length; length += 37) {
    await t.rejects(create(zipped.subarray(0, length)), { name: 'AppError', status: /415|422/ }, `${length} bytes`);
  }
  t.same(await leftovers(), []);
});

t.test('gzip that inflates without end is stopped', async (t) => {
  const { datasets, leftovers } = datasetsIn(t.testdir());
  const header = tar([{ name: 'cat/1.png', says: { bytes: 8e9 } }], { end: false });
  const zeros = Buffer.alloc(1024 * 1024);
  const endless = Readable.from(
    (function* () {
      yield header;
      for (let i = 0; i < 1000; i += 1) yield zeros;
    })(),
  ).pipe(createGzip({ level: 1 }));
  const before = process.memoryUsage().rss;
  await t.rejects(datasets.create({ tenant: 'default', by: 'local', source: endless, name: null }), {
    code: 'archive_too_large',
    message: /200 times/,
  });
  t.ok(process.memoryUsage().rss - before < 200e6);
  t.same(await leftovers(), []);
});

t.test('a hundred thousand empty files are read, or refused where fewer are allowed', async (t) => {
  const empty = gzipSync(tar(Array.from({ length: 100_000 }, (_, i) => ({ name: `cat/${i}.png` }))), { level: 1 });
  const limits = { maxUploadBytes: 1e9, maxEntries: 5000, maxRatio: 200 };
  await t.rejects(datasetsIn(t.testdir(), { limits }).create(empty), { code: 'archive_too_large' });
  await t.rejects(datasetsIn(t.testdir()).create(empty), { code: 'no_examples', details: { refused_count: 100_000 } });
});

t.test('a file too large to be an image is refused without being held', async (t) => {
  const { create } = datasetsIn(t.testdir(), { images: { maxBytes: 1000 } });
  const dataset = await create(tar([cat1, { name: 'cat/big.png', bytes: Buffer.alloc(5_000_000) }, dog]));
  t.match(dataset.refused, [{ name: 'cat/big.png', code: 'content_too_large' }]);
  t.equal(dataset.examples, 2);
});
