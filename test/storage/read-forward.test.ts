import { randomBytes } from 'node:crypto';
import t from 'tap';
import type { ByteRange } from '../../src/storage/contract.js';
import { readForward } from '../../src/storage/read-forward.js';
import { counting } from '../helpers/counting-storage.js';
import { DRIVERS } from '../helpers/storages.js';

const missing = () => new Error('it is gone');

for (const [which, make] of Object.entries(DRIVERS)) {
  t.test(which, async (t) => {
    const { storage, calls } = counting(make(t));
    const pack = randomBytes(100_000);
    await storage.put('pack', pack);
    const read = async (ranges: ByteRange[], limits: { maxReadBytes?: number; maxGapBytes?: number } = {}) => {
      calls.length = 0;
      const found: Buffer[] = [];
      for await (const bytes of readForward({ storage, key: 'pack', ranges, missing, ...limits })) found.push(bytes);
      t.equal(found.length, ranges.length, 'one for each range');
      for (const [i, { start, end }] of ranges.entries()) {
        if (!found[i]!.equals(pack.subarray(start, end + 1))) t.fail(`${start} to ${end} has other bytes`);
      }
      return calls.length;
    };
    const neighbours = Array.from({ length: 100 }, (_, i) => ({ start: i * 1000, end: i * 1000 + 999 }));

    t.test('neighbours are read together', async (t) => {
      t.equal(await read(neighbours), 1);
      t.equal(await read(neighbours, { maxReadBytes: 25_000 }), 4);
      t.equal(await read(neighbours, { maxReadBytes: 1 }), 100);
      t.equal(await read([]), 0);
    });

    t.test('a small gap is read along, a large one is not', async (t) => {
      const apart = neighbours.filter((_, i) => i % 10 === 0);
      t.equal(await read(apart, { maxGapBytes: 9000 }), 1);
      t.equal(await read(apart, { maxGapBytes: 8999 }), 10);
    });

    t.test('ranges may repeat, overlap, and be larger than a read', async (t) => {
      const ranges = [
        { start: 0, end: 49_999 },
        { start: 0, end: 49_999 },
        { start: 10, end: 20 },
        { start: 49_000, end: 60_000 },
        { start: 60_000, end: 60_000 },
      ];
      t.equal(await read(ranges, { maxReadBytes: 1000 }), 2);
    });

    t.test('the next read is under way while the last one is used, and no more than that', async (t) => {
      calls.length = 0;
      const reader = readForward({ storage, key: 'pack', ranges: neighbours, missing, maxReadBytes: 1000 });
      await reader.next();
      t.equal(calls.length, 2);
      await reader.next();
      t.equal(calls.length, 3);
      await reader.return();
      t.equal(calls.length, 3);
    });

    t.test('what is not there, cut off or out of order is an error', async (t) => {
      const first = (key: string, ranges: ByteRange[]) => readForward({ storage, key, ranges, missing }).next();
      await t.rejects(first('no', neighbours), { message: 'it is gone' });
      await t.rejects(first('pack', [{ start: 99_999, end: 100_000 }]), RangeError);
      await t.rejects(first('pack', [{ start: 200_000, end: 200_001 }]), RangeError);
      await t.rejects(
        first('pack', [
          { start: 5, end: 6 },
          { start: 4, end: 6 },
        ]),
        RangeError,
      );
    });
  });
}
