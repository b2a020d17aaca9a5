import t from 'tap';
import type { DataFindings } from '../../../src/schemas/report.js';
import { describeFindings } from '../../../src/training/doctor/describe-findings.js';

const WORDS = { one: 'image', many: 'images' };
const NOTHING: DataFindings = {
  label_errors: { judged: 9, total: 0, items: [] },
  near_duplicates: { compared: 9, total: 0, across_splits: 0, contradictions: 0, leaked_test_examples: 0, items: [] },
  small_classes: { total: 0, items: [] },
  confusable_classes: { total: 0, items: [] },
  outliers: { total: 0, items: [] },
  odd_examples: { total: 0, items: [] },
  seconds: 1,
};
const at = (name: string, label: string) => ({ name, label, split: 'train' as const });

t.test('where nothing was found it says nothing', (t) => {
  t.same(describeFindings(NOTHING, WORDS), []);
  t.end();
});

t.test('each kind of finding is a sentence with examples and what to do', (t) => {
  const sentences = describeFindings(
    {
      ...NOTHING,
      label_errors: {
        judged: 9,
        total: 2,
        items: [{ ...at('a.jpg', 'cat'), suggested: 'dog', confidence: 0.9, given: 0.1 }],
      },
      near_duplicates: {
        ...NOTHING.near_duplicates,
        total: 2,
        contradictions: 1,
        leaked_test_examples: 1,
        items: [{ across_splits: true, contradiction: true, examples: [at('b.jpg', 'cat'), at('c.jpg', 'dog')] }],
      },
      small_classes: { total: 1, items: [{ label: 'emu', training_examples: 2 }] },
      confusable_classes: { total: 1, items: [{ labels: ['cat', 'dog'], confused: [3, 4], share: 0.125 }] },
      outliers: { total: 1, items: [{ ...at('d.jpg', 'cat'), distance: 2 }] },
      odd_examples: { total: 1, items: [{ ...at('e.png', 'cat'), reason: 'has one colour all over' }] },
    },
    WORDS,
  );
  const expected = [
    /^2 labels are worth a look, and about one of them is expected to be wrong: a\.jpg \(cat, or dog\?\)/,
    /^One test image is a copy .* Keep copies in one part\.$/,
    /^One image is there more than once with different labels, such as b\.jpg \(cat\) and c\.jpg \(dog\)/,
    /^One class has fewer than 10 training images: emu \(2\)\. Add images/,
    /^cat and dog are taken for each other most \(13 %/,
    /^One image is unlike all others, such as d\.jpg\./,
    /^One image shows little or nothing: e\.png has one colour all over\. Remove/,
  ];
  t.equal(sentences.length, expected.length);
  for (const [i, pattern] of expected.entries()) t.match(sentences[i], pattern);
  t.end();
});
