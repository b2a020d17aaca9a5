/** What every storage driver must do. A driver's own test calls `storageSuite` with a way to make an empty storage. */
import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import type { Test } from 'tap';
import type { Storage } from '../../src/storage/contract.js';

const BIG_BYTES = 20 * 2 ** 20;

export function storageSuite(t: Test, make: (t: Test) => Storage | Promise<Storage>): void {
  const test = (name: string, run: (t: Test, storage: Storage) => Promise<void>) =>
    t.test(name, async (t) => run(t, await make(t)));
  const read = async (storage: Storage, key: string) => {
    const object = await storage.get(key);
    return object && text(object.stream);
  };

  test('what is put can be read back: text, bytes, streams, and nothing at all', async (t, storage) => {
    const bodies: [string, Readable | Uint8Array | string, Buffer][] = [
      ['text', 'grüße', Buffer.from('grüße')],
      ['bytes', Uint8Array.of(0, 255, 128), Buffer.from([0, 255, 128])],
      ['text-stream', Readable.from(['hello ', 'world']), Buffer.from('hello world')],
      ['byte-stream', Readable.from([Buffer.of(0), Buffer.of(255)]), Buffer.of(0, 255)],
      ['empty', '', Buffer.alloc(0)],
      ['empty-stream', Readable.from([]), Buffer.alloc(0)],
    ];
    for (const [name, body, bytes] of bodies) {
      t.same(await storage.put(`a/b/${name}`, body), { created: true }, name);
      const object = await storage.get(`a/b/${name}`);
      t.equal(object?.bytes, bytes.length, name);
      t.same(await buffer(object!.stream), bytes, name);
      const head = await storage.head(`a/b/${name}`);
      t.equal(head?.bytes, bytes.length, name);
      t.ok(Math.abs(Date.now() - head!.modifiedAt.getTime()) < 60_000, `${name} was written just now`);
    }
    t.same(await storage.put('a/b/text', 'other'), { created: true }, 'writing over it creates it, too');
    t.equal(await read(storage, 'a/b/text'), 'other');
  });

  test('what is not there is undefined, an empty list, and no error to delete', async (t, storage) => {
    await storage.put('here/is', 'one');
    for (const key of ['no', 'no/such', 'here', 'here/is/not', 'her', 'here/i']) {
      t.equal(await storage.get(key), undefined, key);
      t.equal(await storage.head(key), undefined, key);
    }
    for (const prefix of ['no', 'no/such', 'her', 'here/is']) t.same(await storage.list(prefix), [], prefix);
    for (const prefix of ['no', 'no/such', 'her', 'here/i', 'here/is/not']) await storage.delete(prefix);
    t.equal(await read(storage, 'here/is'), 'one');
  });

  test('a range gives these bytes; one beyond the end gives what there is', async (t, storage) => {
    await storage.put('k', '0123456789');
    const expected: [number, number, string][] = [
      [0, 0, '0'],
      [3, 5, '345'],
      [9, 9, '9'],
      [0, 9, '0123456789'],
      [8, 99, '89'],
      [10, 12, ''],
      [99, 99, ''],
    ];
    for (const [start, end, bytes] of expected) {
      const object = await storage.get('k', { start, end });
      t.equal(object?.bytes, 10, 'the size of the whole object');
      t.equal(await text(object!.stream), bytes, `${start} to ${end}`);
    }
    t.equal(await storage.get('no', { start: 0, end: 0 }), undefined);
    await storage.put('empty', '');
    t.equal(await text((await storage.get('empty', { start: 0, end: 5 }))!.stream), '');
    for (const [start, end] of [
      [2, 1],
      [-1, 3],
      [0.5, 3],
    ]) {
      await t.rejects(storage.get('k', { start: start!, end: end! }), TypeError, `${start} to ${end}`);
    }
  });

  test('what is no key is refused by every call', async (t, storage) => {
    const keys = ['../x', 'a/../x', '/x', 'x/', 'a//b', 'a/./b', 'a\\b', 'ü', 'a b', 'a\0', '', '.', 'n'.repeat(256)];
    for (const key of keys) {
      await t.rejects(storage.put(key, ''), TypeError, `put ${key}`);
      await t.rejects(storage.get(key), TypeError, `get ${key}`);
      await t.rejects(storage.head(key), TypeError, `head ${key}`);
      await t.rejects(storage.list(key), TypeError, `list ${key}`);
      await t.rejects(storage.delete(key), TypeError, `delete ${key}`);
    }
    const long = `${'n'.repeat(200)}/A-Za.z_0-9/..x/x..`;
    await storage.put(long, 'kept');
    t.equal(await read(storage, long), 'kept', 'and a long one with every sign is taken');
  });

  test('of 16 that put one key if it is absent, exactly one creates it, and its bytes stay', async (t, storage) => {
    for (let round = 0; round < 10; round += 1) {
      const key = `race/${round}`;
      const puts = Array.from({ length: 16 }, (_, i) => storage.put(key, `writer ${i}`, { ifAbsent: true }));
      const winners = (await Promise.all(puts)).flatMap(({ created }, i) => (created ? [i] : []));
      t.equal(winners.length, 1, `round ${round}`);
      t.equal(await read(storage, key), `writer ${winners[0]}`);
      t.same(await storage.put(key, 'late', { ifAbsent: true }), { created: false });
      t.equal(await read(storage, key), `writer ${winners[0]}`, 'also after one that came later');
    }
    await storage.delete('race/0');
    t.same(await storage.put('race/0', 'anew', { ifAbsent: true }), { created: true }, 'after it was deleted');
    await t.rejects(storage.put('s', Readable.from(['x']), { ifAbsent: true }), TypeError, 'not for streams');
  });

  test('a stream that fails leaves nothing, and what was there before stays', async (t, storage) => {
    const broken = () =>
      Readable.from(
        (async function* () {
          yield 'half';
          yield Buffer.alloc(2 ** 20);
          throw new Error('cut');
        })(),
      );
    await storage.put('x/old', 'whole');
    await t.rejects(storage.put('x/new', broken()), { message: 'cut' });
    await t.rejects(storage.put('x/old', broken()), { message: 'cut' });
    t.equal(await storage.get('x/new'), undefined);
    t.equal(await read(storage, 'x/old'), 'whole');
    t.same(await storage.list('x'), ['old']);
  });

  test('a big object comes back whole and by range, in order', async (t, storage) => {
    const piece = randomBytes(2 ** 20);
    const hash = createHash('sha256');
    const body = (function* () {
      for (let i = 0; i < BIG_BYTES / piece.length; i += 1) {
        const bytes = Buffer.from(piece);
        bytes.writeUInt32BE(i);
        hash.update(bytes);
        yield bytes;
      }
    })();
    await storage.put('big', Readable.from(body));
    const object = await storage.get('big');
    t.equal(object?.bytes, BIG_BYTES);
    const found = createHash('sha256');
    for await (const bytes of object!.stream) found.update(bytes as Buffer);
    t.equal(found.digest('hex'), hash.digest('hex'));
    const start = 7 * piece.length;
    const part = await buffer((await storage.get('big', { start, end: start + piece.length - 1 }))!.stream);
    t.equal(part.length, piece.length);
    t.equal(part.readUInt32BE(), 7);
    t.ok(part.subarray(4).equals(piece.subarray(4)));
  });

  test('nobody sees half of an object while it is written', async (t, storage) => {
    const whole = [Buffer.alloc(300_000, 'a'), Buffer.alloc(200_000, 'b')];
    await storage.put('k', whole[0]!);
    let writing = true;
    const writer = (async () => {
      for (let i = 1; i <= 20; i += 1) await storage.put('k', whole[i % 2]!);
      writing = false;
    })();
    let seen = 0;
    while (writing) {
      const object = (await storage.get('k'))!;
      const bytes = await buffer(object.stream);
      if (!whole.some((one) => one.equals(bytes)) || object.bytes !== bytes.length) t.fail('a torn object');
      seen += 1;
    }
    await writer;
    t.ok(seen > 0, `${seen} readers saw whole ones`);
  });

  test('list gives direct children in the order of their bytes, and those after a name', async (t, storage) => {
    // Keys sort otherwise where a `/` follows: m/a-b comes before m/a/1, but a before a-b.
    for (const key of [
      'm/b',
      'm/a/1',
      'm/a/2/3',
      'm/a-b',
      'm/a.b/x',
      'm/ab',
      'm/a0',
      'm/A',
      'm/_',
      'm/10',
      'm/9',
      'ma',
    ]) {
      await storage.put(key, '');
    }
    const all = ['10', '9', 'A', '_', 'a', 'a-b', 'a.b', 'a0', 'ab', 'b'];
    t.same(await storage.list('m'), all);
    t.same(await storage.list('m/a'), ['1', '2']);
    t.same(await storage.list('m/a', { after: '1' }), ['2']);
    for (const after of [...all, '0', 'Z', 'a-', 'a/', 'zzz']) {
      const expected = all.filter((name) => name > after);
      t.same(await storage.list('m', { after }), expected, `after ${after}`);
    }
  });

  test('a long list is whole', async (t, storage) => {
    const names = Array.from({ length: 1100 }, (_, i) => `n${String(i).padStart(5, '0')}`);
    for (let start = 0; start < names.length; start += 50) {
      await Promise.all(names.slice(start, start + 50).map((name) => storage.put(`long/${name}`, '')));
    }
    for (const times of [1, 2]) t.same(await storage.list('long'), names, `asked ${times} times`);
    t.same(await storage.list('long', { after: 'n01049' }), names.slice(1050));
  });

  test('a list says at once what was put and what was deleted', async (t, storage) => {
    for (let i = 0; i < 30; i += 1) {
      await storage.put(`l/${i}`, '');
      if (!(await storage.list('l')).includes(`${i}`)) t.fail(`put ${i} is not listed`);
      await storage.put(`l/folder-${i}/x`, '');
      if (!(await storage.list('l')).includes(`folder-${i}`)) t.fail(`folder ${i} is not listed`);
      await storage.delete(i % 2 === 0 ? `l/${i}` : `l/folder-${i}`);
      if ((await storage.list('l')).includes(i % 2 === 0 ? `${i}` : `folder-${i}`)) t.fail(`${i} is listed still`);
    }
    t.equal((await storage.list('l')).length, 30);
  });

  test('an etag stays with the object and is another one for other content', async (t, storage) => {
    const etag = async () => (await storage.head('e'))?.etag;
    await storage.put('e', 'one');
    const first = await etag();
    t.type(first, 'string');
    t.equal(await etag(), first);
    t.equal((await storage.get('e'))?.etag, first, 'whoever reads it is told the same one');
    await storage.put('beside', 'x');
    await read(storage, 'e');
    t.equal(await etag(), first, 'reading it, or writing beside it, changes nothing');
    await storage.put('e', 'two');
    const second = await etag();
    t.not(second, first, 'of the same length');
    await storage.delete('e');
    t.equal(await etag(), undefined);
    await storage.put('e', 'six', { ifAbsent: true });
    t.not(await etag(), first, 'after it was deleted');
    t.not(await etag(), second);
  });

  test('delete removes an object, or a whole folder, and nothing beside it', async (t, storage) => {
    for (const key of ['m/a/1', 'm/a/2/3', 'm/ab', 'm/a-/x', 'm/b']) await storage.put(key, '');
    await storage.delete('m/a');
    t.same(await storage.list('m'), ['a-', 'ab', 'b']);
    t.equal(await storage.head('m/a/1'), undefined);
    t.equal(await storage.get('m/a/2/3'), undefined);
    await storage.delete('m/b');
    t.same(await storage.list('m'), ['a-', 'ab']);
    await storage.delete('m');
    t.same(await storage.list('m'), []);
    await storage.put('m/a/1', 'anew');
    t.equal(await read(storage, 'm/a/1'), 'anew', 'and its key can be used again');
  });

  test('whoever reads an object that is deleted or overwritten gets all of its bytes, or an error', async (t, storage) => {
    const bytes = randomBytes(3 * 2 ** 20);
    for (const change of [() => storage.delete('d'), () => storage.put('d/k', 'other')]) {
      await storage.put('d/k', bytes);
      const object = (await storage.get('d/k'))!;
      const late = (await storage.get('d/k', { start: 2 ** 20, end: 2 ** 21 }))!;
      await change();
      const whole = await buffer(object.stream).catch(() => undefined);
      const part = await buffer(late.stream).catch(() => undefined);
      t.ok(!whole || whole.equals(bytes));
      t.ok(!part || part.equals(bytes.subarray(2 ** 20, 2 ** 21 + 1)));
    }
  });

  test('what is put beside a deletion, or while it goes on, is whole or not there', async (t, storage) => {
    for (let i = 0; i < 25; i += 1) {
      await Promise.all([
        storage.put('m/v/files/a', 'a', { ifAbsent: true }),
        storage.put('m/v/files/b', 'b'),
        storage.put('m/v/c', 'c', { ifAbsent: true }),
        storage.delete('m/v'),
        storage.put('m/v/d', 'd').then(() => storage.delete('m/v')),
        storage.put('m/w', 'w'),
      ]);
      for (const [key, body] of [
        ['m/v/files/a', 'a'],
        ['m/v/files/b', 'b'],
        ['m/v/c', 'c'],
      ]) {
        const found = await read(storage, key!);
        if (found !== undefined && found !== body) t.fail(`${key} is torn`);
      }
      t.equal(await read(storage, 'm/v/d'), undefined, 'what was there when it was deleted is gone');
      t.equal(await read(storage, 'm/w'), 'w', 'and what lies beside it stays');
      await storage.delete('m');
      t.same(await storage.list('m'), []);
    }
  });

  test('many deletions of one folder at once all end, and nothing is left', async (t, storage) => {
    for (let i = 0; i < 30; i += 1) await storage.put(`x/f/${i}`, '');
    await Promise.all(Array.from({ length: 4 }, () => storage.delete('x/f')));
    t.same(await storage.list('x/f'), []);
  });
}
