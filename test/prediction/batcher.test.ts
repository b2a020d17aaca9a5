import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import type { Backbone } from '../../src/backbones/backbones.js';
import { Batcher } from '../../src/prediction/batcher.js';

/** A backbone of one session whose passes end when they are told to. */
function heldBackbone() {
  const passes: { count: number; onStart: (() => void) | undefined; end: () => void }[] = [];
  const backbone = {
    card: { id: 'held', input: { width: 1, height: 1 } },
    sessions: 1,
    provider: 'cpu',
    embed: (_pixels: Uint8Array, count: number, onStart?: () => void) =>
      new Promise<Float32Array>((resolve) => {
        passes.push({ count, onStart, end: () => resolve(new Float32Array(count)) });
      }),
  } as unknown as Backbone;
  return { passes, batcher: new Batcher({ backbone, maxBatch: 2 }) };
}

const pixels = () => new Uint8Array(3);

t.test('a full batch is sent ahead of time, what is less waits for a free session', async (t) => {
  const { passes, batcher } = heldBackbone();
  const counts = () => passes.map(({ count }) => count);
  const embedded = [batcher.embed(pixels())];
  await sleep(5);
  t.same(counts(), [1], 'a lone image goes at once');
  embedded.push(batcher.embed(pixels()));
  await sleep(5);
  t.same(counts(), [1], 'half a batch waits');
  embedded.push(batcher.embed(pixels()));
  await sleep(5);
  t.same(counts(), [1, 2], 'a full one is sent');
  embedded.push(batcher.embed(pixels()), batcher.embed(pixels()));
  await sleep(5);
  t.same(counts(), [1, 2], 'one at most for each session');

  await sleep(50);
  passes[0]!.end();
  passes[1]!.onStart!();
  await sleep(20);
  t.same(counts(), [1, 2, 2]);
  passes[1]!.end();
  passes[2]!.end();
  const [, second] = await Promise.all(embedded);
  t.ok(second!.queueMs >= 45, `it waited ${second!.queueMs} ms, which is not counted as computing`);
  t.ok(second!.inferenceMs < 45, `${second!.inferenceMs} ms`);
});
