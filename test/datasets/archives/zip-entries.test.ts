import { randomBytes } from 'node:crypto';
import t from 'tap';
import { type ZipFile, zip } from '../../helpers/archives.js';
import { datasetsIn, image, images } from '../../helpers/datasets.js';

const files = await images('cat/1.png', 'cat/2.png', 'dog/1.png');
const [cat1, cat2, dog] = files as [ZipFile, ZipFile, ZipFile];

t.test('stored and deflated files are read, in the order of the directory', async (t) => {
  const { create } = datasetsIn(t.testdir());
  const dataset = await create(zip([cat1, { ...cat2, stored: true }, dog]));
  t.match(dataset, { archive_format: 'zip', examples: 3, refused: [], class_count: 2 });
});

/** One file that is refused among good ones, which are taken. */
const refusals: [what: string, file: ZipFile, code: string, reason: RegExp][] = [
  ['a symbolic link', { name: 'cat/l.png', bytes: '/etc/passwd', mode: 0o120777 }, 'link', /symbolic link/],
  ['a device', { name: 'cat/d.png', mode: 0o020666 }, 'not_a_regular_file', /not a regular file/],
  ['a wrong checksum', { ...cat1, name: 'cat/c.png', says: { crc32: 1 } }, 'damaged', /checksum/],
  [
    'a stored file with a wrong checksum',
    { ...cat1, name: 'cat/c.png', stored: true, says: { crc32: 1 } },
    'damaged',
    /CRC/,
  ],
  ['a size too small', { ...cat1, name: 'cat/s.png', says: { bytes: 20 } }, 'damaged', /more bytes than declared/],
  ['a size too large', { ...cat1, name: 'cat/s.png', says: { bytes: 999 } }, 'damaged', /where 999 are declared/],
  [
    'data that is not deflated',
    { ...cat1, name: 'cat/x.png', stored: true, says: { method: 8 } },
    'damaged',
    /inflated/,
  ],
  ['an unknown method', { ...cat1, name: 'cat/m.png', says: { method: 12 } }, 'unsupported_compression', /method 12/],
  ['an archive by its name', { name: 'cat/more.zip', bytes: 'x' }, 'nested_archive', /archives in archives/],
  ['an archive by its bytes', { name: 'cat/n.png', bytes: zip([cat1]) }, 'nested_archive', /archives in archives/],
  ['a text', { name: 'cat/about.txt', bytes: 'x' }, 'not_content', /no image/],
  ['an empty file', { name: 'cat/e.png' }, 'content_invalid', /empty/],
  ['a broken image', { name: 'cat/b.png', bytes: randomBytes(500) }, 'content_invalid', /decoded/],
  ['a file too large', { name: 'cat/big.png', bytes: Buffer.alloc(2000) }, 'content_too_large', /2000 bytes.*1000/],
  [
    'far longer packed than unpacked',
    { name: 'cat/p.png', bytes: randomBytes(9000), says: { bytes: 100 } },
    'damaged',
    /longer/,
  ],
  ['a path that was there before', { ...dog, name: 'cat/1.png' }, 'same_path', /before it/],
  ['a file beside the folders', { ...dog, name: 'cover.png' }, 'no_class_folder', /no class folder/],
];

for (const [what, file, code, reason] of refusals) {
  t.test(`one bad file is refused by name, and the others are taken: ${what}`, async (t) => {
    const { create, leftovers } = datasetsIn(t.testdir(), { images: { maxBytes: 1000 } });
    const dataset = await create(zip([cat1, cat2, file, dog]));
    t.match(dataset.refused, [{ name: file.name, code, reason }]);
    t.equal(dataset.refused.length, 1);
    t.equal(dataset.examples, 3);
    t.same(await leftovers(), [dataset.id]);
  });
}

const failures: [what: string, archive: Buffer, error: { code: string; message?: RegExp }][] = [
  ['encrypted', zip([cat1, { ...cat2, says: { flags: 1 } }]), { code: 'archive_encrypted', message: /cat\/2\.png/ }],
  ['climbing', zip([cat1, { ...dog, name: '../dog/1.png' }]), { code: 'archive_unsafe', message: /\.\.\/dog/ }],
  ['absolute', zip([cat1, { ...dog, name: '/dog/1.png' }]), { code: 'archive_unsafe', message: /absolute/ }],
  ['with backslashes', zip([cat1, { ...dog, name: '..\\dog\\1.png' }]), { code: 'archive_unsafe' }],
  [
    'two entries over the same bytes',
    zip([cat1, { ...cat2, says: { offset: 0 } }]),
    { code: 'archive_unsafe', message: /share bytes/ },
  ],
  [
    'one entry reaching over the next',
    zip([{ ...cat1, says: { compressedBytes: 300 } }, dog]),
    { code: 'archive_unsafe' },
  ],
  ['fewer entries than declared', zip(files, { entryCount: 4 }), { code: 'archive_damaged' }],
  ['no entries', zip([]), { code: 'archive_empty' }],
  ['folders only', zip([{ name: 'cat/' }, { name: 'dog/' }]), { code: 'archive_empty' }],
  ['no images', zip([{ name: 'a.txt', bytes: 'x' }, { name: '.DS_Store' }]), { code: 'no_examples' }],
];

for (const [what, archive, error] of failures) {
  t.test(`a zip is refused as a whole, and nothing is left: ${what}`, async (t) => {
    const { create, leftovers } = datasetsIn(t.testdir());
    await t.rejects(create(archive), error);
    t.same(await leftovers(), []);
  });
}

t.test('names decide as the central directory has them, not the local headers', async (t) => {
  const { create } = datasetsIn(t.testdir());
  const dataset = await create(
    zip([
      { ...cat1, localName: '../../evil.png' },
      { ...dog, localName: 'other/9.png' },
    ]),
  );
  t.same(
    dataset.classes.map(({ label }) => label),
    ['cat', 'dog'],
  );
});

t.test('names without the UTF-8 flag are UTF-8 where they can be, else code page 437', async (t) => {
  const { create } = datasetsIn(t.testdir());
  const dataset = await create(
    zip([
      { ...cat1, name: Buffer.from('größe/1.png') },
      { ...dog, name: Buffer.concat([Buffer.from('gr'), Buffer.from([0x94]), Buffer.from('n/1.png')]) },
    ]),
  );
  t.same(
    dataset.classes.map(({ label }) => label),
    ['grön', 'größe'],
  );
});

t.test('names that clash by case or Unicode form are kept apart, and one label in two forms is one', async (t) => {
  const { create } = datasetsIn(t.testdir());
  const clashing = await images('a', 'b', 'c', 'd');
  const names = ['Cat/1.png', 'cat/1.png', 'caf\u00e9/1.png', 'cafe\u0301/1.png'];
  const dataset = await create(zip(clashing.map((file, i) => ({ ...file, name: names[i]! }))));
  t.same(
    dataset.classes.map(({ label, examples: images }) => [label, images]),
    [
      ['Cat', 1],
      ['caf\u00e9', 2],
      ['cat', 1],
    ],
  );
  t.match(dataset.warnings.join(), /"Cat" and "cat" differ only by case/);
});

t.test('a zip is read among other bytes, and whole though its count has run over', async (t) => {
  const { create } = datasetsIn(t.testdir());
  const whole = zip(files);
  const odd: [what: string, bytes: Buffer][] = [
    ['bytes behind its end', Buffer.concat([whole, randomBytes(100)])],
    ['many bytes behind its end', Buffer.concat([whole, Buffer.alloc(300_000)])],
    ['a program before it', Buffer.concat([Buffer.from('MZ'), randomBytes(5000), whole])],
    ['more entries than declared', zip(files, { entryCount: 2 })],
  ];
  for (const [what, bytes] of odd) t.match(await create(bytes), { archive_format: 'zip', examples: 3 }, what);
});

t.test('a part of a split zip is named as what it is', async (t) => {
  const { create, leftovers } = datasetsIn(t.testdir());
  const last = zip(files).subarray(200);
  last.writeUInt16LE(2, last.length - 18); // the number of its disk
  const first = Buffer.concat([Buffer.from('PK\x07\x08'), zip(files).subarray(0, 500)]);
  for (const part of [last, first]) {
    await t.rejects(create(part), { code: 'not_an_archive', message: /part of a split zip.*Join the parts/ });
  }
  await t.rejects(create(zip(files).subarray(0, 500)), { code: 'archive_damaged', message: /join the parts/ });
  t.same(await leftovers(), []);
});

t.test('a zip of files that cannot be unpacked is refused from its directory, with what to do', async (t) => {
  const { create } = datasetsIn(t.testdir());
  const packed = files.map((file) => ({ ...file, says: { method: 9 } }));
  await t.rejects(create(zip(packed)), { code: 'not_an_archive', message: /Deflate64.*Explorer.*again/s });
});

t.test('a zip cut off anywhere is refused', async (t) => {
  const { create, leftovers } = datasetsIn(t.testdir());
  const whole = zip(files);
  for (let length = 1; length < whole.length; length += 23) {
    await t.rejects(create(whole.subarray(0, length)), { name: 'AppError', status: /415|422/ }, `${length} bytes`);
  }
  t.same(await leftovers(), []);
});

t.test('growth beyond the ratio is refused from the directory, before anything is inflated', async (t) => {
  const { create } = datasetsIn(t.testdir(), { images: { inspect: () => Promise.reject(new Error('was read')) } });
  const zeros = Array.from({ length: 3 }, (_, i) => ({ name: `cat/${i}.png`, bytes: Buffer.alloc(24_000_000) }));
  await t.rejects(create(zip(zeros)), { code: 'archive_too_large', message: /200 times/ });
});

t.test('too many entries are refused, and a hundred thousand empty ones are read in seconds', async (t) => {
  const empty = zip(Array.from({ length: 60_000 }, (_, i) => ({ name: `cat/${i}.png`, stored: true })));
  const few = { maxUploadBytes: 1e9, maxEntries: 59_999, maxRatio: 200 };
  await t.rejects(datasetsIn(t.testdir(), { limits: few }).create(empty), {
    code: 'archive_too_large',
    message: /60000/,
  });
  const started = performance.now();
  const error = await datasetsIn(t.testdir())
    .create(empty)
    .catch((error) => error);
  t.match(error, { code: 'no_examples', message: /The first 1000 are listed/, details: { refused_count: 60_000 } });
  t.equal(error.details.refused.length, 1000);
  t.ok(performance.now() - started < 15_000);
});

t.test('a photo that is another kind than its name says is judged by its bytes', async (t) => {
  const { create } = datasetsIn(t.testdir());
  const gif = Buffer.from('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7', 'base64');
  const dataset = await create(
    zip([
      { name: 'cat/1.jpg', bytes: gif },
      { name: 'dog/1.txt.jpg', bytes: await image('x') },
    ]),
  );
  t.match(dataset.refused, [{ name: 'cat/1.jpg', code: 'content_unsupported' }]);
  t.equal(dataset.examples, 1);
});
