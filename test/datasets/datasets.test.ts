import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import t from 'tap';
import type { DatasetModality } from '../../src/datasets/examine-entry.js';
import { AppError } from '../../src/errors.js';
import { Dataset, type Example } from '../../src/schemas/datasets.js';
import type { Storage } from '../../src/storage/contract.js';
import { FileStorage } from '../../src/storage/file-storage.js';
import { tar, zip } from '../helpers/archives.js';
import { counting } from '../helpers/counting-storage.js';
import { datasetsIn, IMAGES, images, pieces, sharedFolder } from '../helpers/datasets.js';
import { MemoryStorage } from '../helpers/memory-storage.js';
import { DRIVERS } from '../helpers/storages.js';

const small = zip(await images('cat/1.png', 'dog/1.png'));

for (const [driver, open] of Object.entries(DRIVERS)) {
  t.test(`an archive becomes a pack, an index and a manifest (${driver})`, async (t) => {
    const { create, datasets, storage } = datasetsIn(t.testdir(), { storage: open(t) });
    const files = await images('pets/cat/1.png', 'pets/cat/2.png', 'pets/dog/1.png', 'pets/cover.png');
    const archive = zip([...files, { name: 'pets/.DS_Store' }, { name: '__MACOSX/pets/._1.png', bytes: 'x' }]);
    const dataset = await create(archive);
    t.match(dataset, {
      id: /^ds_[0-9a-z]{26}$/,
      name: 'test',
      format: 1,
      archive_format: 'zip',
      modality: 'image',
      by: 'local',
      bytes: archive.length,
      sha256: createHash('sha256').update(archive).digest('hex'),
      examples: 3,
      conflicts: 0,
      stored_bytes: files.reduce((sum, { bytes }) => sum + bytes.length, 0),
      splits: null,
      layout: { kind: 'class_folders', root: 'pets' },
      class_count: 2,
      classes: [
        { label: 'cat', examples: 2 },
        { label: 'dog', examples: 1 },
      ],
      refused_count: 1,
      refused: [{ name: 'pets/cover.png', code: 'no_class_folder' }],
      duplicate_count: 0,
      ignored: 2,
      warnings: [/Left out.*images in pets \(1\)/, /fewer than 5 images: "cat" \(2\), "dog" \(1\)/],
    });
    t.ok(Date.parse(dataset.created_at));
    t.same(Object.keys(dataset).sort(), Object.keys(Dataset.properties).sort());
    t.same(await datasets.get('default', dataset.id), dataset);

    const prefix = `tenants/default/datasets/${dataset.id}`;
    t.same(await storage.list(prefix), ['index.ndjson', 'manifest.json', 'pack']);
    const index = await text((await storage.get(`${prefix}/index.ndjson`))!.stream);
    const examples: Example[] = index
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    const opened = await datasets.open('default', dataset.id);
    t.same(opened.manifest, dataset);
    t.same(opened.examples, examples);
    for (const [i, example] of examples.entries()) {
      const bytes = await opened.readContent(example);
      t.ok(bytes.equals(files[i]!.bytes), example.name);
      t.match(example, {
        name: files[i]!.name,
        labels: [i < 2 ? 'cat' : 'dog'],
        bytes: bytes.length,
        facts: { width: 6, height: 4 },
        origin: 'upload',
      });
      t.equal(example.sha256, createHash('sha256').update(bytes).digest('hex'));
    }
  });
}

for (const [driver, open] of Object.entries(DRIVERS)) {
  t.test(`an example is its content: one row with all labels that it came under (${driver})`, async (t) => {
    const { create, datasets, storage } = datasetsIn(t.testdir(), { storage: open(t) });
    const [a, b] = await images('a', 'b');
    const dataset = await create(
      zip([
        { ...a!, name: 'train/cat/1.png' },
        { ...a!, name: 'test/cat/2.png' },
        { ...a!, name: 'train/dog/3.png' },
        { ...b!, name: 'train/dog/4.png' },
        { ...b!, name: 'train/dog/5.png' },
      ]),
    );
    t.same(dataset.duplicates, [
      { name: 'train/cat/1.png', same_as: 'test/cat/2.png', kind: 'across_splits' },
      { name: 'train/dog/3.png', same_as: 'test/cat/2.png', kind: 'other_label' },
      { name: 'train/dog/5.png', same_as: 'train/dog/4.png', kind: 'same_class' },
    ]);
    t.match(dataset, {
      examples: 2,
      conflicts: 1,
      duplicate_count: 3,
      splits: { train: 1, validation: 0, test: 1 },
      classes: [
        { label: 'cat', examples: 0 },
        { label: 'dog', examples: 1 },
      ],
    });
    t.match(
      dataset.warnings.join(),
      /1 image has several labels: test\/cat\/2\.png \("cat", "dog"\)\. It is left out of training/,
    );
    const { examples, readContent } = await datasets.open('default', dataset.id);
    t.same(
      examples.map(({ name, offset, labels, split, conflict }) => [name, offset, labels, split, conflict]),
      [
        ['test/cat/2.png', 0, ['cat', 'dog'], 'test', true],
        ['train/dog/4.png', a!.bytes.length, ['dog'], 'train', undefined],
      ],
    );
    for (const example of examples) t.equal((await readContent(example)).length, example.bytes);
    const pack = await storage.head(`tenants/default/datasets/${dataset.id}/pack`);
    t.equal(pack?.bytes, a!.bytes.length + b!.bytes.length);
  });
}

/** Bytes of text, of files that end in .txt. */
const TEXTS: DatasetModality = {
  id: 'text',
  words: { one: 'text', many: 'texts' },
  maxBytes: 100,
  maxBytesSetting: 'MAX_EXAMPLE_BYTES',
  mayBeContent: (name) => name.endsWith('.txt'),
  mediaType: () => 'text/plain',
  inspect: async (content) => {
    if (content.includes(0)) throw new AppError('content_invalid', 'It is no text.');
    return { length: content.length };
  },
};

t.test('a data set holds one kind of content: the first for which a file is taken', async (t) => {
  const { create, datasets, leftovers } = datasetsIn(t.testdir(), { modalities: [IMAGES, TEXTS] });
  const texts = [
    { name: 'cat/1.txt', bytes: 'meow' },
    { name: 'dog/1.txt', bytes: 'woof' },
    { name: 'dog/2.txt', bytes: 'a\0' },
    { name: 'dog/3.txt', bytes: 'x'.repeat(101) },
    { name: 'dog/about.md', bytes: '# dogs' },
  ];
  for (const archive of [zip(texts), tar(texts)]) {
    const dataset = await create(archive);
    t.match(dataset, {
      modality: 'text',
      examples: 2,
      stored_bytes: 8,
      refused: [
        { name: 'dog/2.txt', code: 'content_invalid', reason: 'It is no text.' },
        { name: 'dog/3.txt', code: 'content_too_large', reason: /101 bytes; texts may have at most 100/ },
        { name: 'dog/about.md', code: 'not_content', reason: /no text/ },
      ],
      warnings: [/Classes with fewer than 5 texts/],
    });
    const { examples, readContent } = await datasets.open('default', dataset.id);
    t.match(examples[1], { name: 'dog/1.txt', facts: { length: 4 }, labels: ['dog'] });
    t.equal(String(await readContent(examples[1]!)), 'woof');
    await datasets.delete('default', dataset.id);
  }
  const mixed = await create(zip([...texts, ...(await images('cat/1.png'))]));
  t.match(mixed, { modality: 'image', examples: 1 });
  t.match(mixed.refused[0], { name: 'cat/1.txt', code: 'other_modality', reason: /holds images\. Send texts as/ });
  t.match(mixed.refused.at(-1), { name: 'dog/about.md', code: 'not_content', reason: /no image/ });
  await datasets.delete('default', mixed.id);
  await t.rejects(
    create(
      zip([
        { name: 'cat/a.md', bytes: 'x' },
        { name: 'cat/b.png', bytes: 'x' },
      ]),
    ),
    {
      code: 'no_examples',
      message: /No image could be taken from the archive; 2 files were refused/,
    },
  );
  t.same(await leftovers(), []);
});

t.test('a labels file decides, wherever in the archive it stands', async (t) => {
  const { create } = datasetsIn(t.testdir());
  const files = await images('x/a.png', 'x/b.png', 'x/c.png', 'x/cat/d.png');
  const labels = {
    name: 'x/labels.csv',
    bytes: '\ufefffile_name,label\r\na.png,"ca\u0301t, black"\r\nb.png,dog\r\ncat/d.png,__proto__\r\nz.png,dog\r\n',
  };
  for (const archive of [zip([labels, ...files]), zip([...files, labels]), tar([...files, labels])]) {
    t.match(await create(archive), {
      layout: { kind: 'labels_file', root: 'x', labels_file: 'x/labels.csv' },
      classes: [
        { label: '__proto__', examples: 1 },
        { label: 'c\u00e1t, black', examples: 1 },
        { label: 'dog', examples: 1 },
      ],
      refused: [{ name: 'x/c.png', code: 'not_listed' }],
      warnings: [/x\/labels\.csv lists 1 file that is not in the archive: z\.png/, /does not list x\/c\.png/, String],
    });
  }
});

t.test('a labels file that cannot be used is an error, never a reason to fall back on folders', async (t) => {
  const { create, leftovers } = datasetsIn(t.testdir());
  const files = await images('cat/1.png', 'dog/1.png');
  const damaged = { name: 'labels.csv', bytes: 'file_name,label\ncat/1.png,x', says: { crc32: 1 } };
  await t.rejects(create(zip([...files, damaged])), { code: 'no_labels', message: /labels\.csv.*checksum/ });
  const other = { name: 'labels.csv', bytes: 'file_name,label\nno/1.png,x\n' };
  await t.rejects(create(zip([...files, other])), {
    code: 'no_labels',
    message: /names files.*layout=\{"kind":"folders"\}/,
  });
  t.same(await leftovers(), []);
});

t.test('labels that other programs trip over are only labels', async (t) => {
  const { create, datasets } = datasetsIn(t.testdir());
  const labels = ['CON', '__proto__', 'a\u2028b', 'constructor', 'dot.', 'hasOwnProperty', '🐈'];
  const dataset = await create(zip(await images(...labels.map((label) => `${label}/1.png`))));
  t.same(
    dataset.classes.map(({ digests: _, ...rest }) => rest),
    labels.map((label) => ({ label, examples: 1, names: [`${label}/1.png`] })),
  );
  t.same(
    (await datasets.open('default', dataset.id)).examples.map(({ labels: [label] }) => label),
    labels,
  );
});

t.test('a list is newest first, in pages, and skips what has no manifest', async (t) => {
  const { create, datasets, storage } = datasetsIn(t.testdir());
  t.same(await datasets.list('default', { limit: 10 }), { data: [], has_more: false });
  const ids: string[] = [];
  for (let i = 0; i < 3; i += 1) {
    ids.unshift((await create(small)).id);
    // Ids sort by the millisecond.
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  await storage.put('tenants/default/datasets/ds_00000000000000000000000000/pack', 'x');
  const page = async (limit: number, after?: string) => {
    const { data, has_more } = await datasets.list('default', { limit, after });
    return [data.map(({ id }) => id), has_more];
  };
  t.same(await page(10), [ids, false]);
  t.same(await page(3), [ids, false]);
  t.same(await page(2), [ids.slice(0, 2), true]);
  t.same(await page(2, ids[1]), [ids.slice(2), false]);
  await datasets.delete('default', ids[1]!);
  t.same(await page(2, ids[1]), [ids.slice(2), false], 'after an id that is gone');
  t.same((await datasets.list('other', { limit: 10 })).data, []);
  t.notOk('refused' in (await datasets.list('default', { limit: 1 })).data[0]!, 'a summary is short');
});

for (const [driver, open] of Object.entries(DRIVERS)) {
  t.test(`what is deleted, or of another tenant, or no id, is not found (${driver})`, async (t) => {
    const { create, datasets, leftovers } = datasetsIn(t.testdir(), { storage: open(t) });
    const { id } = await create(small);
    const { examples, readContent } = await datasets.open('default', id);
    await t.rejects(datasets.get('other', id), { code: 'dataset_not_found' });
    await datasets.delete('default', id);
    for (const gone of [id, '../../x', 'ds_', '']) {
      await t.rejects(datasets.get('default', gone), { code: 'dataset_not_found' });
      await t.rejects(datasets.open('default', gone), { code: 'dataset_not_found' });
      await t.rejects(datasets.delete('default', gone), { code: 'dataset_not_found' });
    }
    await t.rejects(readContent(examples[0]!), { code: 'dataset_not_found' });
    t.same(await leftovers(), []);
  });
}

t.test('contents are read forward in few reads, in any order, and again', async (t) => {
  const { storage, calls } = counting(new MemoryStorage());
  const { create, datasets } = datasetsIn(t.testdir(), { storage });
  const { id } = await create(zip(await images(...Array.from({ length: 40 }, (_, i) => `${i % 2}/${i}.png`))));
  const { examples, readForward } = await datasets.open('default', id);
  const digestsOf = async (wanted: Example[]) => {
    calls.length = 0;
    const digests: string[] = [];
    for await (const bytes of readForward(wanted)) digests.push(createHash('sha256').update(bytes).digest('hex'));
    t.same(
      digests,
      wanted.map(({ sha256 }) => sha256),
    );
    return calls.length;
  };
  t.equal(await digestsOf(examples), 1);
  t.equal(await digestsOf([...examples, ...examples.slice(3, 5), examples[4]!, examples[4]!]), 2);
  t.equal(await digestsOf(examples.slice(0, 3).reverse()), 3);
  t.equal(await digestsOf([]), 0);
  const reader = readForward(examples);
  t.ok((await reader.next()).value);
  await reader.return();
  await datasets.delete('default', id);
  await t.rejects(readForward(examples).next(), { code: 'dataset_not_found' });
});

t.test('the manifest goes first, so that what is half deleted is nowhere', async (t) => {
  const { storage, calls } = counting(new MemoryStorage());
  const { create, datasets } = datasetsIn(t.testdir(), { storage });
  const { id } = await create(small);
  calls.length = 0;
  await datasets.delete('default', id);
  const folder = `tenants/default/datasets/${id}`;
  t.same(
    calls.filter((call) => call.startsWith('delete')),
    [`delete ${folder}/manifest.json`, `delete ${folder}`],
  );
});

t.test('a list asks storage once a row', async (t) => {
  const { storage, calls } = counting(new MemoryStorage());
  const { create, datasets } = datasetsIn(t.testdir(), { storage });
  for (let i = 0; i < 3; i += 1) await create(small);
  calls.length = 0;
  t.equal((await datasets.list('default', { limit: 10 })).data.length, 3);
  t.equal(calls.length, 1 + 3, calls.join());
});

t.test('an upload with another digest than announced is refused', async (t) => {
  const { datasets, leftovers } = datasetsIn(t.testdir());
  const create = (expectedSha256: string) =>
    datasets.create({ tenant: 'default', by: 'local', source: pieces(small), name: null, expectedSha256 });
  await t.rejects(create('0'.repeat(64)), { code: 'digest_mismatch' });
  t.same(await leftovers(), []);
  const sha256 = createHash('sha256').update(small).digest('hex');
  t.match(await create(sha256.toUpperCase()), { sha256, name: null });
});

t.test('an upload that is too large, fails, or is left by its sender leaves nothing', async (t) => {
  const limits = { maxUploadBytes: 1000, maxEntries: 100, maxRatio: 200 };
  const { datasets, leftovers } = datasetsIn(t.testdir(), { limits });
  const create = (source: Readable, signal?: AbortSignal) =>
    datasets.create({ tenant: 'default', by: 'local', source, name: null, signal });
  await t.rejects(create(pieces(Buffer.alloc(1001), 100)), { code: 'archive_too_large', details: { max_bytes: 1000 } });
  t.same(await leftovers(), []);

  const failing = Readable.from(
    (async function* () {
      yield small.subarray(0, 100);
      throw new Error('the line broke');
    })(),
  );
  await t.rejects(create(failing), { message: 'the line broke' });
  t.same(await leftovers(), []);

  const closing = new Readable({ read() {} });
  closing.push(small.subarray(0, 100));
  const closed = create(closing);
  setImmediate(() => closing.destroy());
  await t.rejects(closed, { code: 'client_closed_request' });
  t.same(await leftovers(), []);

  const controller = new AbortController();
  const aborted = create(new Readable({ read() {} }), controller.signal);
  setImmediate(() => controller.abort());
  await t.rejects(aborted, { code: 'client_closed_request' });
  t.same(await leftovers(), []);
});

t.test('a client that leaves while images are checked leaves nothing', async (t) => {
  const controller = new AbortController();
  const { datasets, leftovers } = datasetsIn(t.testdir(), {
    concurrency: 1,
    images: {
      inspect: async (content) => {
        controller.abort();
        return IMAGES.inspect(content);
      },
    },
  });
  const upload = { tenant: 'default', by: 'local', source: pieces(small), name: null, signal: controller.signal };
  await t.rejects(datasets.create(upload), { code: 'client_closed_request' });
  t.same(await leftovers(), []);
});

t.test('whatever else breaks comes out as it is, and nothing is left', async (t) => {
  const inspector = datasetsIn(t.testdir(), {
    images: { inspect: () => Promise.reject(new TypeError('a fault of ours')) },
  });
  await t.rejects(inspector.create(small), new TypeError('a fault of ours'));
  t.same(await inspector.leftovers(), []);

  for (const part of ['pack', 'index.ndjson', 'manifest.json']) {
    const storage = failingAt(part, new FileStorage({ root: join(t.testdir(), 'data') }));
    const full = datasetsIn(t.testdir(), { storage });
    await t.rejects(full.create(small), { code: 'storage_full' }, part);
    t.same(await full.leftovers(), [], part);
  }
});

t.test('uploads at the same time do not get into each other', async (t) => {
  const { create, leftovers } = datasetsIn(t.testdir());
  const made = await Promise.allSettled([small, Buffer.from('x'), small, zip([]), small].map(create));
  t.same(
    made.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled', 'rejected', 'fulfilled'],
  );
  t.equal((await leftovers()).length, 3);
});

const clothing = sharedFolder('datasets/clothing');
t.test('real photos are taken in, as a zip and as a tar', { skip: !clothing && 'no photos here' }, async (t) => {
  const { create, datasets } = datasetsIn(t.testdir());
  const files = [];
  for (const entry of await readdir(clothing!, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isFile() || !/(hat|skirt)$/.test(entry.parentPath)) continue;
    files.push({ name: path.slice(clothing!.length + 1), bytes: await readFile(path) });
  }
  for (const archive of [zip(files), tar(files)]) {
    const dataset = await create(archive);
    t.equal(dataset.examples + dataset.duplicates.length, files.length);
    t.match(dataset, { refused: [], layout: { kind: 'split_folders', root: '' }, class_count: 2 });
    const { examples, readContent } = await datasets.open('default', dataset.id);
    const last = examples.at(-1)!;
    t.ok((await readContent(last)).equals(files.find(({ name }) => name === last.name)!.bytes));
  }
});

t.test('imagenet-val is read by its labels file', { skip: !clothing && 'no photos here' }, async (t) => {
  const { create } = datasetsIn(t.testdir());
  const folder = sharedFolder('datasets/imagenet-val')!;
  const names = await readdir(folder);
  const files = await Promise.all(names.map(async (name) => ({ name, bytes: await readFile(join(folder, name)) })));
  t.match(await create(tar(files)), { layout: { kind: 'labels_file', labels_file: 'labels.csv' }, refused: [] });
});

/** A storage whose disk is full when an object of this name comes, after it has taken some of it. */
function failingAt(name: string, storage: Storage): Storage {
  return {
    get: (...args) => storage.get(...args),
    head: (...args) => storage.head(...args),
    list: (...args) => storage.list(...args),
    delete: (...args) => storage.delete(...args),
    put: async (key, body, options) => {
      if (!key.endsWith(name)) return storage.put(key, body, options);
      if (body instanceof Readable) for await (const _ of body) break;
      throw new AppError('storage_full', 'The disk is full.');
    },
  };
}

t.test('an archive of more classes than are taken is refused, and a tenant has so many data sets', async (t) => {
  const limits = {
    maxUploadBytes: 1e6,
    maxEntries: 100,
    maxRatio: 200,
    maxClasses: 2,
    maxDatasets: 1,
  };
  const { create, leftovers } = datasetsIn(t.testdir(), { limits });
  await t.rejects(create(zip(await images('a/1.png', 'b/1.png', 'c/1.png'))), {
    code: 'too_large',
    message: /3 classes; at most 2 are taken \(MAX_CLASSES\)/,
  });
  t.same(await leftovers(), []);
  await create(zip(await images('a/1.png', 'b/1.png')));
  await t.rejects(create(zip(await images('a/2.png', 'b/2.png'))), { code: 'quota_exceeded' });
});
