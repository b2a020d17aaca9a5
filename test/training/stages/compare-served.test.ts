/** A new version beside the one that is served, on examples that neither had seen. */
import { createHash } from 'node:crypto';
import t from 'tap';
import { newId } from '../../../src/ids.js';
import { Registry } from '../../../src/registry/registry.js';
import type { LabelledExample } from '../../../src/schemas/datasets.js';
import { HELD_OUT_FILE, writeHeldOut } from '../../../src/training/held-out.js';
import type { ExtractedExamples, HeldOutAnswers, Measured, Run } from '../../../src/training/run.js';
import { compareServed } from '../../../src/training/stages/compare-served.js';
import { MemoryStorage } from '../../helpers/memory-storage.js';

const LABELS = ['cat', 'dog'];
const tenant = 'default';

function examplesOf(count: number): LabelledExample[] {
  return Array.from({ length: count }, (_, i) => ({
    sha256: createHash('sha256').update(String(i)).digest('hex'),
    label: LABELS[i % 2]!,
    name: `${i}.jpg`,
    offset: 0,
    bytes: 1,
    origin: 'upload',
  }));
}

/** Answers that are wrong for the first `wrong` examples. */
function answers(count: number, wrong: number): HeldOutAnswers {
  const logits = new Float32Array(2 * count);
  const y = Int32Array.from({ length: count }, (_, i) => i % 2);
  y.forEach((label, i) => {
    logits[2 * i + (i < wrong ? 1 - label : label)] = 3;
  });
  return { on: 'test', examples: [...y.keys()], scored: { logits, y, classes: 2 }, temperature: 1 };
}

async function compare({
  before,
  now,
  alias,
  count = 100,
}: Partial<Record<'before' | 'now' | 'count', number>> & { alias?: string }) {
  const registry = new Registry({ storage: new MemoryStorage() });
  const examples = examplesOf(100);
  if (before !== undefined) {
    const held = writeHeldOut(answers(count, before), LABELS, examples.slice(0, count));
    const job = newId('job');
    const { version } = await registry.publish({
      tenant,
      job,
      model: 'pets',
      manifest: { model: 'pets', job, labels: LABELS } as Parameters<Registry['publish']>[0]['manifest'],
      files: new Map([[HELD_OUT_FILE, held]]),
    });
    if (alias !== undefined) {
      await registry.setAlias({ tenant, model: 'pets', alias, version, expected: undefined, by: 'local' });
    }
  }
  const warnings: string[] = [];
  const run = {
    tenant,
    registry,
    labels: LABELS,
    settings: { model: 'pets' },
    modality: { words: { one: 'image', many: 'images' } },
    progress: { warn: (message: string) => warnings.push(message) },
  } as unknown as Run;
  const measured = { answers: now === undefined ? undefined : answers(100, now) } as Measured;
  return { compared: await compareServed(run, { examples } as ExtractedExamples, measured), warnings };
}

t.test('a version that is worse than the served one says so, with both figures', async (t) => {
  const { compared, warnings } = await compare({ before: 10, now: 25, alias: 'production' });
  t.match(compared, { version: 1, alias: 'production', examples: 100, accuracy: 0.75, accuracy_before: 0.9 });
  t.match(compared, { only_new_right: 0, only_old_right: 15, verdict: 'worse' });
  t.match(warnings, [
    /worse than version 1, which is production: on 100 images that neither had seen it is right on 75\.0 %, and that one on 90\.0 %/,
  ]);
});

t.test('one that is better or alike says nothing', async (t) => {
  t.match(await compare({ before: 25, now: 10 }), { compared: { alias: null, verdict: 'better' }, warnings: [] });
  t.match(await compare({ before: 10, now: 12 }), { compared: { verdict: 'alike' }, warnings: [] });
});

t.test('without another version, held-out examples, or enough in common nothing is compared', async (t) => {
  t.same(await compare({ now: 10 }), { compared: null, warnings: [] });
  t.same(await compare({ before: 10 }), { compared: null, warnings: [] });
  t.same(await compare({ before: 5, now: 10, count: 19 }), { compared: null, warnings: [] });
});
