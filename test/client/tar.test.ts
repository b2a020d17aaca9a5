import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { tarOf } from '../../src/client/tar.js';
import { readTar } from '../../src/datasets/archives/tar-entries.js';

t.test('files come out of a tar as they went in, whatever their names and sizes', async (t) => {
  const files = [
    { name: 'cat/1.jpg', text: 'one' },
    { name: 'cat/empty.jpg', text: '' },
    { name: 'dög/日本 🐈.jpg', text: 'x'.repeat(512) },
    { name: `${'long '.repeat(40)}/${'n'.repeat(120)}.jpg`, text: 'y'.repeat(513) },
    ...[90, 91, 92, 93].map((n) => ({ name: `é${'a'.repeat(n)}`, text: String(n) })), // around a length of three digits
  ];
  const tar = tarOf(files.map(({ name, text }) => ({ name, content: new Blob([text]) })));
  t.equal(tar.size % 512, 0);
  const path = join(t.testdir(), 'x.tar');
  await writeFile(path, Buffer.from(await tar.arrayBuffer()));
  const found: { name: string; text: string }[] = [];
  for await (const { name, read } of readTar(path, { format: 'tar', maxEntries: 100, maxRatio: 10 })) {
    found.push({ name, text: String(await read()) });
  }
  t.same(found, files);
});

t.test('a hundred thousand files take no memory but for their headers', async (t) => {
  const content = new Blob([new Uint8Array(100_000)]);
  const before = process.memoryUsage().arrayBuffers;
  const tar = tarOf(Array.from({ length: 20_000 }, (_, i) => ({ name: `a/${i}.jpg`, content })));
  t.ok(tar.size > 2e9, `${tar.size}`);
  t.ok(process.memoryUsage().arrayBuffers - before < 64e6);
});
