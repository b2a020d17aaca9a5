import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { crc32 } from 'node:zlib';
import t from 'tap';
import { datasetsIn } from '../helpers/datasets.js';

const FILE_BYTES = 1_000_000;
const FILES = 300;

/** A zip of 300 MB, stored, that is never whole in memory. */
function* largeZip(): Generator<Buffer> {
  const filler = Buffer.alloc(FILE_BYTES, 0xa5);
  const directory: Buffer[] = [];
  let offset = 0;
  for (let i = 0; i < FILES; i += 1) {
    const bytes = Buffer.from(filler);
    bytes.writeUInt32LE(i, 0);
    const name = Buffer.from(`class${i % 3}/${i}.jpg`);
    const fields = Buffer.alloc(26);
    fields.writeUInt16LE(20, 0);
    fields.writeUInt32LE(crc32(bytes), 10);
    fields.writeUInt32LE(bytes.length, 14);
    fields.writeUInt32LE(bytes.length, 18);
    fields.writeUInt16LE(name.length, 22);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(offset, 10);
    directory.push(Buffer.from('PK\x01\x02\x14\x00'), fields, tail, name);
    yield Buffer.concat([Buffer.from('PK\x03\x04'), fields, name]);
    yield bytes;
    offset += 30 + name.length + bytes.length;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(FILES, 8);
  end.writeUInt16LE(FILES, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(offset, 16);
  yield Buffer.concat([central, end]);
}

t.test('a large archive goes through in little memory', async (t) => {
  const { datasets, leftovers } = datasetsIn(t.testdir(), { images: { inspect: async () => ({}) } });
  const before = process.memoryUsage().rss;
  let peak = before;
  const timer = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage().rss);
  }, 10);
  t.teardown(() => clearInterval(timer));
  const source = Readable.from(largeZip());
  const dataset = await datasets.create({ tenant: 'default', by: 'local', source, name: null });
  t.equal(dataset.examples, FILES);
  const grown = Math.round((peak - before) / 1e6);
  t.comment(`the process grew by ${grown} MB for an archive of ${Math.round(dataset.bytes / 1e6)} MB`);
  t.ok(grown < 150, `${grown} MB`);
  const { examples, readContent } = await datasets.open('default', dataset.id);
  const last = examples.at(-1)!;
  t.equal(
    createHash('sha256')
      .update(await readContent(last))
      .digest('hex'),
    last.sha256,
  );
  t.same(await leftovers(), [dataset.id]);
});
