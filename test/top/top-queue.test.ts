import t from 'tap';
import type { Trunk } from '../../src/backbones/trunk.js';
import { TopQueue } from '../../src/top/top-queue.js';

const top = { key: 'k', weights: new Map() };

/** A trunk whose top adds the values of a row; 13 breaks it. */
function addingTrunk() {
  const counts: number[] = [];
  const trunk = {
    runTop: async (_top: unknown, rows: Float32Array, count: number) => {
      counts.push(count);
      if (rows.includes(13)) throw new Error('broken');
      const T = rows.length / count;
      return Float32Array.from({ length: count }, (_, i) =>
        rows.subarray(i * T, (i + 1) * T).reduce((sum, value) => sum + value, 0),
      );
    },
  } as unknown as Trunk;
  return { counts, queue: new TopQueue({ trunk, top }) };
}

t.test('examples that left the trunk together go through the top together, each with its own answer', async (t) => {
  const { counts, queue } = addingTrunk();
  const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => queue.run(Float32Array.of(i + 20, 1))));
  t.same(
    answers.map(([sum]) => sum),
    Array.from({ length: 20 }, (_, i) => i + 21),
  );
  t.same(counts, [16, 4], 'not too many at once');
  t.same([...(await queue.run(Float32Array.of(1, 1)))], [2], 'and later ones in a pass of their own');
});

t.test('a failed pass is the failure of its own examples', async (t) => {
  const { queue } = addingTrunk();
  const outcomes = await Promise.allSettled(
    Array.from({ length: 17 }, (_, i) => queue.run(Float32Array.of(i === 3 ? 13 : 0.5, 1))),
  );
  t.equal(outcomes.filter(({ status }) => status === 'rejected').length, 16);
  t.equal(outcomes[16]!.status, 'fulfilled');
});
