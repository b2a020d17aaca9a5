import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { FileStorage } from '../../src/storage/file-storage.js';

function storageIn(root: string) {
  return new FileStorage({ root });
}

t.test('what is put can be read back, whole and by range', async (t) => {
  const storage = storageIn(t.testdir());
  t.same(await storage.put('a/b/c.txt', Readable.from(['hello ', 'world'])), { created: true });
  const whole = await storage.get('a/b/c.txt');
  t.equal(whole?.bytes, 11);
  t.equal(await text(whole!.stream), 'hello world');
  const part = await storage.get('a/b/c.txt', { start: 6, end: 8 });
  t.equal(part?.bytes, 11);
  t.equal(await text(part!.stream), 'wor');
  t.match(await storage.head('a/b/c.txt'), { bytes: 11, modifiedAt: Date });
});

t.test('what is not there is undefined, an empty list, and no error to delete', async (t) => {
  const storage = storageIn(t.testdir());
  t.equal(await storage.get('no/such'), undefined);
  t.equal(await storage.head('no/such'), undefined);
  t.same(await storage.list('no'), []);
  await t.resolves(storage.delete('no'));
});

t.test('of many that put one key if it is absent, exactly one creates it, and its bytes stay', async (t) => {
  const storage = storageIn(t.testdir());
  const results = await Promise.all(
    Array.from({ length: 20 }, (_, i) => storage.put('k/v', `writer ${i}`, { ifAbsent: true })),
  );
  const winners = results.flatMap((result, i) => (result.created ? [i] : []));
  t.equal(winners.length, 1);
  t.equal(await text((await storage.get('k/v'))!.stream), `writer ${winners[0]}`);
});

t.test('a body that breaks off leaves neither an object nor a temporary file', async (t) => {
  const root = t.testdir();
  const storage = storageIn(root);
  const broken = Readable.from(
    (async function* () {
      yield 'half';
      throw new Error('cut');
    })(),
  );
  await t.rejects(storage.put('x/y', broken), { message: 'cut' });
  t.equal(await storage.get('x/y'), undefined);
  t.same(await readdir(join(root, '.tmp')), []);
});

t.test('list gives the direct children, sorted, after a name', async (t) => {
  const storage = storageIn(t.testdir());
  for (const key of ['m/b/1', 'm/a/1', 'm/a/2', 'm/c']) await storage.put(key, '');
  t.same(await storage.list('m'), ['a', 'b', 'c']);
  t.same(await storage.list('m', { after: 'a' }), ['b', 'c']);
});

t.test('delete removes everything below a prefix and nothing beside it', async (t) => {
  const storage = storageIn(t.testdir());
  for (const key of ['m/a/1', 'm/a/2', 'm/ab']) await storage.put(key, '');
  await storage.delete('m/a');
  t.same(await storage.list('m'), ['ab']);
});

t.test('keys that could leave the folder are refused', async (t) => {
  const storage = storageIn(t.testdir());
  for (const key of ['../x', 'a/../x', '/x', 'a//b', 'a/./b', 'a\\b', 'ü', '']) {
    await t.rejects(storage.put(key, ''), TypeError, key);
  }
});

t.test('sweep removes left-over temporary files by age', async (t) => {
  const root = t.testdir({ '.tmp': { left: 'x' }, kept: 'y' });
  const storage = storageIn(root);
  t.equal(await storage.sweep(60_000), 0);
  t.equal(await storage.sweep(-1), 1);
  t.same(await storage.list('.tmp'), []);
  t.equal((await storage.head('kept'))?.bytes, 1);
});

t.test('putting into a folder that is deleted at the same time does not fail', async (t) => {
  const storage = storageIn(t.testdir());
  for (let i = 0; i < 40; i += 1) {
    await Promise.all([
      storage.put('m/v/files/a', 'a', { ifAbsent: true }),
      storage.put('m/v/files/b', 'b'),
      storage.put('m/v/c', 'c', { ifAbsent: true }),
      storage.delete('m/v'),
      storage.put('m/v/d', 'd').then(() => storage.delete('m/v')),
    ]);
  }
  t.pass();
});
