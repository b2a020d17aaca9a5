import * as fc from 'fast-check';
import t from 'tap';
import type { Backbone } from '../../src/backbones/contract.js';
import { dense, type Features, isSparse, type SparseRow } from '../../src/numbers/features.js';
import { Batcher } from '../../src/prediction/batcher.js';

interface Pass {
  prepared: string[];
  onStart: (() => void) | undefined;
  end: (features?: Features) => void;
  fail: (error: Error) => void;
}

/** Prepared content is text here; the features of a text are its length and its sum. */
function featuresOf(prepared: string[]): Features {
  const rows = prepared.flatMap((text) => [text.length, sumOf(text)]);
  return dense(Float32Array.from(rows), 2);
}

function sumOf(text: string): number {
  return [...text].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) % 65_536;
}

function backboneOf(passes: number, embed: Backbone<string>['embed'], predicting = 2): Backbone<string> {
  return { card: { id: 'held' }, passes, batch: { predicting, extracting: 9 }, embed } as unknown as Backbone<string>;
}

/** A backbone whose passes end when they are told to, and the passes that it was asked for. */
function heldBackbone({ sessions = 1, maxBatch = 2 } = {}) {
  const passes: Pass[] = [];
  const backbone = backboneOf(
    sessions,
    (prepared, onStart) =>
      new Promise((resolve, reject) => {
        passes.push({
          prepared,
          onStart,
          end: (features = featuresOf(prepared)) => resolve(features),
          fail: reject,
        });
      }),
  );
  return { passes, batcher: new Batcher({ backbone, maxBatch }), batches: () => passes.map((pass) => pass.prepared) };
}

/** All that was planned before this call has been done when it ends. */
const turn = () => new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)));

t.test('a full batch is sent ahead of time, what is less waits for a free session', async (t) => {
  const { passes, batcher, batches } = heldBackbone();
  const embedded = [batcher.embed('a')];
  await turn();
  t.same(batches(), [['a']], 'a lone example goes at once');
  embedded.push(batcher.embed('b'));
  await turn();
  t.same(batches(), [['a']], 'half a batch waits');
  embedded.push(batcher.embed('c'));
  await turn();
  t.same(batches(), [['a'], ['b', 'c']], 'a full one is sent');
  embedded.push(batcher.embed('d'), batcher.embed('e'));
  await turn();
  t.same(batches(), [['a'], ['b', 'c']], 'one at most for each session');
  passes[0]!.end();
  await turn();
  t.same(batches(), [['a'], ['b', 'c'], ['d', 'e']]);
  passes[1]!.end();
  passes[2]!.end();
  t.same(
    (await Promise.all(embedded)).map(({ features, batch }) => [[...(features as Float32Array)], batch]),
    [...'abcde'].map((text) => [[1, text.charCodeAt(0)], text === 'a' ? 1 : 2]),
  );
});

t.test('time in the queue of a session is not counted as computing', async (t) => {
  const { passes, batcher } = heldBackbone();
  const first = batcher.embed('a');
  await turn();
  const others = [batcher.embed('b'), batcher.embed('c')];
  await turn();
  const waited = performance.now();
  while (performance.now() - waited < 30); // the session is busy with the first
  passes[1]!.onStart!();
  passes[0]!.end();
  passes[1]!.end();
  await first;
  const { queueMs, inferenceMs } = (await Promise.all(others))[0]!;
  t.ok(queueMs >= 30, `it waited ${queueMs} ms`);
  t.ok(inferenceMs < 30, `it was computed in ${inferenceMs} ms`);
});

t.test('without a maximum a batch is as large as the backbone recommends', async (t) => {
  const { passes, batches } = heldBackbone();
  const backbone = backboneOf(
    1,
    (prepared) => new Promise((resolve) => passes.push({ prepared, resolve } as never)),
    3,
  );
  const batcher = new Batcher({ backbone, maxBatch: 0 });
  for (const text of 'abcdefg') void batcher.embed(text);
  await turn();
  t.same(batches(), [
    ['a', 'b', 'c'],
    ['d', 'e', 'f'],
  ]);
});

t.test(
  'everybody gets the answer to what they sent, whatever the passes take and in whatever order they end',
  async (t) => {
    const payload = fc.string({ unit: 'grapheme', maxLength: 12 });
    const arrival = fc.record({ text: payload, turnsLater: fc.nat({ max: 3 }) });
    await fc.assert(
      fc.asyncProperty(
        fc.array(arrival, { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 7 }),
        fc.infiniteStream(fc.nat({ max: 4 })),
        async (arrivals, sessions, maxBatch, durations) => {
          let under = 0;
          const embed = async (prepared: string[]) => {
            under += 1;
            if (under > 2 * sessions) throw new Error(`${under} passes on ${sessions} sessions`);
            if (prepared.length === 0 || prepared.length > maxBatch) throw new Error(`a batch of ${prepared.length}`);
            for (let turns = durations.next().value; turns > 0; turns -= 1) await turn();
            under -= 1;
            return featuresOf(prepared);
          };
          const batcher = new Batcher({ backbone: backboneOf(sessions, embed), maxBatch });
          const answers: Promise<unknown>[] = [];
          for (const { text, turnsLater } of arrivals) {
            for (let turns = turnsLater; turns > 0; turns -= 1) await turn();
            answers.push(
              batcher.embed(text).then(({ features, batch }) => {
                const [length, sum] = features as Float32Array;
                return length === text.length && sum === sumOf(text) && batch <= maxBatch;
              }),
            );
          }
          return (await Promise.all(answers)).every(Boolean);
        },
      ),
      { numRuns: 60 },
    );
    t.pass();
  },
);

t.test('a failed pass is the failure of its own callers only, and the next one runs', async (t) => {
  const { passes, batcher } = heldBackbone();
  const results = Promise.allSettled(['a', 'b', 'c', 'd', 'e'].map((text) => batcher.embed(text)));
  await turn();
  passes[0]!.fail(new Error('its thread ended'));
  await turn();
  passes[1]!.end();
  await turn();
  passes[2]!.end();
  const outcomes = await results;
  t.match(outcomes.slice(0, 2), [
    { reason: { message: 'its thread ended' } },
    { reason: { message: 'its thread ended' } },
  ]);
  t.same(
    outcomes.map(({ status }) => status),
    ['rejected', 'rejected', 'fulfilled', 'fulfilled', 'fulfilled'],
  );
});

t.test(
  'a caller who left while waiting is dropped before the pass; one who leaves during it costs nobody',
  async (t) => {
    const { passes, batcher, batches } = heldBackbone();
    const [early, late] = [new AbortController(), new AbortController()];
    const first = batcher.embed('a', late.signal);
    await turn();
    const gone = batcher.embed('b', early.signal);
    const stays = batcher.embed('c');
    early.abort();
    late.abort();
    passes[0]!.end();
    await t.rejects(gone, { code: 'client_closed_request' });
    await turn();
    t.same(batches(), [['a'], ['c']]);
    passes[1]!.end();
    t.same((await stays).batch, 1);
    await first;
  },
);

t.test('when all have left no pass is made', async (t) => {
  const { batcher, batches } = heldBackbone();
  const signal = AbortSignal.abort();
  await t.rejects(Promise.all([batcher.embed('a', signal), batcher.embed('b', signal)]), {
    code: 'client_closed_request',
  });
  await turn();
  t.same(batches(), []);
});

t.test('sparse features are handed out row by row', async (t) => {
  const { passes, batcher } = heldBackbone();
  const embedded = [batcher.embed('a'), batcher.embed('b')];
  await turn();
  passes[0]!.end({
    kind: 'sparse',
    rows: 2,
    columns: 100,
    offsets: Int32Array.of(0, 1, 3),
    indices: Int32Array.of(7, 3, 99),
    values: Float32Array.of(0.5, 1, 2),
  });
  const rows = (await Promise.all(embedded)).map(({ features }) => features);
  t.ok(rows.every(isSparse));
  t.same(
    (rows as SparseRow[]).map(({ columns, indices, values }) => [columns, [...indices], [...values]]),
    [
      [100, [7], [0.5]],
      [100, [3, 99], [1, 2]],
    ],
  );
});

t.test('each batch is told, with its size', async (t) => {
  const told: { backbone: string; examples: number }[] = [];
  const backbone = backboneOf(1, async (prepared) => featuresOf(prepared));
  const batcher = new Batcher({ backbone, maxBatch: 2, onBatch: (batch) => told.push(batch) });
  await Promise.all(['a', 'b', 'c'].map((text) => batcher.embed(text)));
  t.match(told, [
    { backbone: 'held', examples: 2 },
    { backbone: 'held', examples: 1 },
  ]);
});
