import zlib from 'node:zlib';
import t from 'tap';
import { tar } from '../../helpers/archives.js';
import { datasetsIn, images } from '../../helpers/datasets.js';

const { zstdCompressSync } = zlib as unknown as { zstdCompressSync?: (bytes: Uint8Array) => Buffer };

t.test(
  'a tar.zst is read where Node reads Zstandard',
  { skip: zstdCompressSync === undefined && `Node ${process.version} has no Zstandard; 22.15 and later have` },
  async (t) => {
    const { create } = datasetsIn(t.testdir());
    const packed = zstdCompressSync!(tar(await images('a/1.png', 'a/2.png', 'b/1.png')));
    t.match(await create(packed), { archive_format: 'tar.zst', examples: 3 });
    await t.rejects(create(packed.subarray(0, packed.length - 9)), { code: 'archive_damaged' });
    await t.rejects(create(zstdCompressSync!(Buffer.from('no tar'))), { code: 'not_an_archive' });
  },
);

t.test('elsewhere it is called by its name', { skip: zstdCompressSync !== undefined && 'it is read' }, async (t) => {
  const { create } = datasetsIn(t.testdir());
  await t.rejects(create(Buffer.from('28b52ffd0000000000', 'hex')), { code: 'not_an_archive', message: /Zstandard/ });
});
