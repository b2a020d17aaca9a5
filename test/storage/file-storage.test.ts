import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import t from 'tap';
import { FileStorage } from '../../src/storage/file-storage.js';
import { storageSuite } from './contract.js';

storageSuite(t, (t) => new FileStorage({ root: join(t.testdir(), 'data') }));

t.test('a body that breaks off leaves no temporary file', async (t) => {
  const root = t.testdir();
  const storage = new FileStorage({ root });
  const broken = Readable.from(
    (async function* () {
      yield 'half';
      throw new Error('cut');
    })(),
  );
  await t.rejects(storage.put('x/y', broken), { message: 'cut' });
  t.same(await readdir(join(root, '.tmp')), []);
});

t.test('sweep removes left-over temporary files by age', async (t) => {
  const root = t.testdir({ '.tmp': { left: 'x' }, kept: 'y' });
  const storage = new FileStorage({ root });
  t.equal(await storage.sweep(60_000), 0);
  t.equal(await storage.sweep(-1), 1);
  t.same(await storage.list('.tmp'), []);
  t.equal((await storage.head('kept'))?.bytes, 1);
});

t.test('a folder that lost or gained many names is listed as it is', async (t) => {
  const storage = new FileStorage({ root: t.testdir() });
  await storage.put('f/first', '');
  t.same(await storage.list('f'), ['first']);
  for (let i = 0; i < 300; i += 1) await storage.put(`f/${i}`, '');
  t.equal((await storage.list('f')).length, 301);
  t.equal((await storage.list('f')).length, 301);
  await storage.delete('f');
  t.same(await storage.list('f'), []);
});
