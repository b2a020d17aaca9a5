import { setTimeout as delay } from 'node:timers/promises';
import * as fc from 'fast-check';
import t from 'tap';
import { mapInOrder } from '../../src/datasets/map-in-order.js';

async function* from<T>(items: T[]): AsyncGenerator<T> {
  yield* items;
}

async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of source) items.push(item);
  return items;
}

t.test('results come in the order of the source, within both limits, whatever takes how long', async (t) => {
  const item = fc.record({ weight: fc.nat(20), ticks: fc.nat(3) });
  await fc.assert(
    fc.asyncProperty(fc.array(item, { maxLength: 30 }), fc.integer({ min: 1, max: 5 }), async (items, concurrency) => {
      let running = 0;
      let weight = 0;
      const options = { concurrency, maxWeight: 25, weigh: (of: { weight: number }) => of.weight };
      const results = mapInOrder(from(items), options, async (of) => {
        running += 1;
        weight += of.weight;
        if (running > concurrency || weight > 25) throw new Error('too much at once');
        for (let i = 0; i < of.ticks; i += 1) await delay(0);
        running -= 1;
        weight -= of.weight;
        return of;
      });
      t.strictSame(await collect(results), items);
    }),
    { numRuns: 30 },
  );
});

t.test('an item heavier than the limit goes through alone', async (t) => {
  const options = { concurrency: 4, maxWeight: 1, weigh: () => 5 };
  t.same(await collect(mapInOrder(from([1, 2, 3]), options, async (n) => n * 2)), [2, 4, 6]);
});

t.test('a failure waits for the work under way, then comes out once', async (t) => {
  let finished = 0;
  const options = { concurrency: 3, maxWeight: 10, weigh: () => 1 };
  const results = mapInOrder(from([0, 1, 2, 3, 4]), options, async (n) => {
    if (n === 1) throw new Error('broken');
    await delay(5);
    finished += 1;
    return n;
  });
  await t.rejects(collect(results), { message: 'broken' });
  const then = finished;
  await delay(20);
  t.equal(finished, then);
});
