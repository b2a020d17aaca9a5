import t from 'tap';
import type { Example } from '../../src/schemas/datasets.js';
import { labelledExamples } from '../../src/training/labelled-examples.js';

t.test('an example with several labels takes no part; the others keep their order and their place in the pack', (t) => {
  const rest = { name: '', bytes: 1, origin: 'upload' } as const;
  const examples: Example[] = [
    { ...rest, sha256: 'a', offset: 0, labels: ['cat'], split: 'test' },
    { ...rest, sha256: 'b', offset: 1, labels: ['cat', 'dog'], conflict: true },
    { ...rest, sha256: 'c', offset: 2, labels: ['dog'] },
  ];
  t.same(labelledExamples(examples), [
    { ...rest, sha256: 'a', offset: 0, label: 'cat', split: 'test' },
    { ...rest, sha256: 'c', offset: 2, label: 'dog' },
  ]);
  t.end();
});
