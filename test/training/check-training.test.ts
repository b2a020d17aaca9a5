import t from 'tap';
import type { JobSettings } from '../../src/schemas/jobs.js';
import { checkTraining } from '../../src/training/check-training.js';

const TWO = {
  classes: [
    { label: 'cat', examples: 3 },
    { label: 'dog', examples: 3 },
  ],
};

const block = (tensor: string, weights = 1000) => ({
  cut: { tensor, dims: [8, 4, 4], beside: [] },
  weights,
  values: 1000,
});
const CARD = {
  ...{ id: 'net', name: 'Net', modality: 'image', recipe: 'pixels-2', file: 'model.onnx', sha256: '0'.repeat(64) },
  ...{ bytes: 1, features: { name: 'features', dimensions: 8 }, license: 'none', source: 'none' },
  top: { blocks: [block('b'), block('a')], limit: null as string | null },
};

function check(settings: Partial<JobSettings>, dataset = TWO, card = CARD) {
  return () => checkTraining({ modality: 'image', ...dataset }, { model: 'pets', ...settings }, card);
}

t.test('blocks that cannot be trained are refused, with what can', (t) => {
  const top = (trainable_blocks?: number) =>
    ({ trainable: 'top', hyperparameters: trainable_blocks ? { trainable_blocks } : {} }) as const;
  const of = (blocks: typeof CARD.top.blocks, limit: string | null = null) => ({ ...CARD, top: { blocks, limit } });
  t.doesNotThrow(check(top()));
  t.doesNotThrow(check(top(2)));
  t.doesNotThrow(check({ hyperparameters: {} }, TWO, of([])));
  const refused = (given: ReturnType<typeof check>, message: RegExp) =>
    t.throws(given, { code: 'setting_conflict', message });
  refused(check(top(3)), /At most 2 blocks .*'net'.*It has no more\. Lower trainable_blocks/);
  const round = "Round 'x' is in the way: this operator is not known to the training.";
  refused(check(top(3), TWO, of(CARD.top.blocks, round)), /At most 2 blocks .*Round 'x' is in the way/);
  refused(check(top(), TWO, of([], round)), /No block .*Round 'x'.*trainable none/);
  refused(check(top(), TWO, of([])), /No part of backbone 'net'/);
  refused(
    check(top(2), TWO, of([block('b'), block('a', 1e9)])),
    /At most one block .*1000 million weights are too large/,
  );
  t.end();
});

t.test('a backbone that cannot be trained as a whole is refused, with what can', (t) => {
  const all = { trainable: 'all' } as const;
  const of = (
    whole: ReturnType<typeof block> | null | undefined,
    limit: string | null = null,
    blocks = CARD.top.blocks,
  ) => ({
    ...CARD,
    top: { blocks, limit, ...(whole !== undefined && { whole }) },
  });
  t.doesNotThrow(check(all, TWO, of(block('x'))));
  t.doesNotThrow(check(all, TWO, of(undefined)), 'a card of an earlier release does not tell');
  const refused = (card: ReturnType<typeof of>, message: RegExp) =>
    t.throws(check(all, TWO, card), { code: 'setting_conflict', message });
  refused(of(block('x', 1e9)), /'net' cannot be trained as a whole\. It is too large .*training\. Use trainable top, /);
  refused(of(null, "Round 'x' is in the way."), /as a whole\. Round 'x' is in the way\. Use trainable top, /);
  refused(of(null, null, []), /as a whole\. Use trainable none, or another backbone\.$/);
  t.end();
});

t.test('settings that fit are taken', (t) => {
  t.doesNotThrow(check({}));
  t.doesNotThrow(check({ head: 'mlp', hyperparameters: { hidden_units: 9, dropout: 0, learning_rate: 1 } }));
  t.doesNotThrow(check({ head: 'linear', hyperparameters: { hidden_units: 'auto', dropout: 'auto' } }));
  t.doesNotThrow(check({ hyperparameters: { optimizer: 'lbfgs', learning_rate: 'auto', weight_decay: 0 } }));
  t.doesNotThrow(check({ hyperparameters: { class_weights: { cat: 2 } } }));
  t.end();
});

t.test('weights that are all 0 are refused; one that is not will do', (t) => {
  t.throws(check({ hyperparameters: { class_weights: { cat: 0, dog: 0 } } }), {
    code: 'setting_conflict',
    message: /0 for every class/,
  });
  t.doesNotThrow(check({ hyperparameters: { class_weights: { cat: 0 } } }));
  t.end();
});

t.test('fewer than two classes are refused, and the one that is there is named', (t) => {
  t.throws(check({}, { classes: [] }), { code: 'too_few_classes' });
  t.throws(check({}, { classes: [{ label: 'cat', examples: 9 }] }), { code: 'too_few_classes', message: /'cat'/ });
  t.end();
});

t.test('a class without training images is refused by name', (t) => {
  const splits = (train: number) => ({ train, validation: 0, test: 1 });
  const classes = [
    { label: 'cat', examples: 2, splits: splits(1) },
    { label: 'dog', examples: 1, splits: splits(0) },
    { label: 'emu', examples: 1, splits: splits(0) },
  ];
  const refusal = { code: 'class_without_training_examples', details: { classes: ['dog', 'emu'] } };
  t.throws(check({}, { classes }), refusal);
  const conflicts = { classes: [...TWO.classes, { label: 'emu', examples: 0 }] };
  t.throws(check({}, conflicts), { code: 'class_without_training_examples', details: { classes: ['emu'] } });
  t.end();
});

t.test('settings that contradict each other are refused', (t) => {
  const conflict = { code: 'setting_conflict' };
  t.throws(check({ head: 'mlp', hyperparameters: { optimizer: 'lbfgs' } }), conflict);
  t.throws(check({ hyperparameters: { optimizer: 'lbfgs', learning_rate: 0.1 } }), conflict);
  t.throws(check({ hyperparameters: { optimizer: 'lbfgs', batch_size: 8 } }), conflict);
  t.throws(check({ head: 'linear', hyperparameters: { hidden_units: 8 } }), conflict);
  t.throws(check({ head: 'linear', hyperparameters: { dropout: 0 } }), conflict);
  t.throws(check({ head: 'prototype', hyperparameters: { weight_decay: 1 } }), conflict);
  t.doesNotThrow(check({ head: 'prototype', hyperparameters: { class_weights: 'none', epochs: 'auto' } }));
  t.throws(check({ weights: 'random' }), conflict);
  t.throws(check({ hyperparameters: { trainable_blocks: 2 } }), conflict);
  t.throws(check({ trainable: 'top', head: 'prototype' }), conflict);
  t.throws(check({ trainable: 'top', hyperparameters: { optimizer: 'lbfgs' } }), conflict);
  t.doesNotThrow(check({ trainable: 'top', weights: 'random', hyperparameters: { trainable_blocks: 'auto' } }));
  const weights = JSON.parse('{"cat": 1, "__proto__": 2}');
  t.throws(check({ hyperparameters: { class_weights: weights } }), {
    ...conflict,
    details: { unknown: ['__proto__'] },
  });
  t.end();
});
