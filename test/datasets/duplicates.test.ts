import t from 'tap';
import { leaveOutDuplicates } from '../../src/datasets/duplicates.js';
import type { Split } from '../../src/schemas/common.js';
import type { DatasetEntry } from '../../src/schemas/datasets.js';

function entry(name: string, sha256: string, label: string, split?: Split): DatasetEntry {
  return { name, sha256, label, offset: 0, bytes: 1, width: 1, height: 1, ...(split && { split }) };
}

function names(entries: DatasetEntry[]) {
  return entries.map(({ name }) => name);
}

t.test('of one class, the first stays', (t) => {
  const { entries, duplicates } = leaveOutDuplicates([
    entry('1', 'A', 'cat'),
    entry('2', 'B', 'cat'),
    entry('3', 'A', 'cat'),
  ]);
  t.same(names(entries), ['1', '2']);
  t.same(duplicates, [{ name: '3', same_as: '1', kind: 'same_class' }]);
  t.end();
});

t.test('across splits, the most held-out stays', (t) => {
  const { entries, duplicates } = leaveOutDuplicates([
    entry('1', 'A', 'cat', 'train'),
    entry('2', 'A', 'cat', 'test'),
    entry('3', 'A', 'cat', 'validation'),
    entry('4', 'A', 'cat', 'test'),
    entry('5', 'B', 'cat', 'train'),
    entry('6', 'B', 'cat', 'validation'),
  ]);
  t.same(names(entries), ['2', '6']);
  t.same(duplicates, [
    { name: '1', same_as: '2', kind: 'across_splits' },
    { name: '3', same_as: '2', kind: 'across_splits' },
    { name: '4', same_as: '2', kind: 'same_class' },
    { name: '5', same_as: '6', kind: 'across_splits' },
  ]);
  t.end();
});

t.test('of several classes, one of each stays, and the contradiction is listed', (t) => {
  const { entries, duplicates } = leaveOutDuplicates([
    entry('1', 'A', 'cat'),
    entry('2', 'A', 'dog'),
    entry('3', 'A', '__proto__'),
    entry('4', 'A', 'dog'),
  ]);
  t.same(names(entries), ['1', '2', '3']);
  t.same(duplicates, [
    { name: '2', same_as: '1', kind: 'other_label' },
    { name: '3', same_as: '1', kind: 'other_label' },
    { name: '4', same_as: '2', kind: 'same_class' },
  ]);
  t.end();
});
