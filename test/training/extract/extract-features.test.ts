import { setImmediate as turn } from 'node:timers/promises';
import t from 'tap';
import type { Backbone, Variation } from '../../../src/backbones/contract.js';
import type { FeatureCache } from '../../../src/backbones/feature-cache.js';
import { AppError } from '../../../src/errors.js';
import { dense, onlyDense } from '../../../src/numbers/features.js';
import { seededRandom } from '../../../src/numbers/random.js';
import type { LabelledExample } from '../../../src/schemas/datasets.js';
import { type ExtractOptions, extractFeatures } from '../../../src/training/extract/extract-features.js';

const EXAMPLES: LabelledExample[] = Array.from({ length: 50 }, (_, i) => ({
  sha256: String(i),
  label: 'a',
  name: `${i}`,
  offset: i,
  bytes: 1,
  origin: 'upload',
}));

/** Its feature of a content is its byte, and a hundred more for each variation; passes and decoding take different times. */
function counter(): Backbone<number> {
  const random = seededRandom(1, 'turns');
  const takeTurns = async () => {
    for (let turns = Math.floor(random() * 8); turns > 0; turns -= 1) await turn();
  };
  return {
    card: { sha256: 'f'.repeat(64), features: { dimensions: 1 } } as Backbone['card'],
    recipe: 'bytes',
    passes: 3,
    batch: { predicting: 4, extracting: 4 },
    provider: 'cpu',
    unavailableProviders: [],
    cacheable: true,
    async prepare(content, variation) {
      await takeTurns();
      if (content[0] === 13) throw new AppError('content_invalid', 'Nobody likes 13.');
      return content[0]! + 100 * (Number(variation?.copy ?? -1) + 1);
    },
    async embed(prepared) {
      await takeTurns();
      return dense(Float32Array.from(prepared), 1);
    },
  };
}

function extract(options: Partial<ExtractOptions>) {
  const kept = new Map<string, Float32Array>();
  const keyed = (key: object) => JSON.stringify(key);
  const cache = {
    read: (key: object, room: Float32Array) => {
      const found = kept.get(keyed(key));
      if (found) room.set(found);
      return found !== undefined;
    },
    async putAll(entries: Parameters<FeatureCache['putAll']>[0]) {
      for (const { key, features } of entries) kept.set(keyed(key), features);
    },
  } as unknown as FeatureCache;
  return {
    cache,
    run: (more: Partial<ExtractOptions> = {}) =>
      extractFeatures({
        examples: EXAMPLES,
        async *readForward(wanted) {
          for (const { offset } of wanted) {
            await turn();
            yield Buffer.from([offset]);
          }
        },
        backbone: counter() as Backbone,
        cache,
        vary: (_settings, _sha256, copy): Variation => ({ copy }),
        augmentation: undefined,
        onProgress: () => undefined,
        onCacheError: (error) => {
          throw error;
        },
        ...options,
        ...more,
      }),
  };
}

t.test('each content goes to the example that it belongs to, however long each takes', async (t) => {
  const augmentation = { settings: { copies: 2 } as never, of: [3, 7] };
  const { run } = extract({ augmentation });
  const { features, kept, origin, skipped } = await run();
  const rest = EXAMPLES.map((_, i) => i).filter((i) => i !== 13);
  t.same(kept, rest);
  t.same(skipped, [{ name: '13', code: 'content_invalid', reason: 'Nobody likes 13.' }]);
  t.same([...onlyDense(features).values], [...rest, 103, 203, 107, 207]);
  t.same([...origin.slice(rest.length)], [3, 3, 7, 7]);
});

t.test('only what the cache does not have is read', async (t) => {
  const { run } = extract({ examples: EXAMPLES.slice(0, 10) });
  await run();
  const read: number[] = [];
  const { cached } = await run({
    examples: EXAMPLES.slice(5, 12),
    async *readForward(wanted) {
      for (const { offset } of wanted) {
        read.push(offset);
        yield Buffer.from([offset]);
      }
    },
  });
  t.equal(cached, 5);
  t.same(read, [10, 11]);
});

t.test('where reading fails, extraction fails with that, and the reader is closed', async (t) => {
  let closed = false;
  const { run } = extract({});
  const failing = run({
    async *readForward(wanted) {
      try {
        for (const { offset } of wanted) {
          if (offset === 20) throw new AppError('dataset_not_found', 'It was deleted.');
          yield Buffer.from([offset]);
        }
      } finally {
        closed = true;
      }
    },
  });
  await t.rejects(failing, { code: 'dataset_not_found' });
  t.ok(closed);
  closed = false;
  const broken = { ...counter(), embed: () => Promise.reject(new AppError('internal', 'It broke.')) } as Backbone;
  const breaking = run({
    backbone: broken,
    async *readForward(wanted) {
      try {
        for (const { offset } of wanted) yield Buffer.from([offset]);
      } finally {
        closed = true;
      }
    },
  });
  await t.rejects(breaking, { message: 'It broke.' });
  t.ok(closed, 'also where a pass fails');
});
