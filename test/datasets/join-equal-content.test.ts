import t from 'tap';
import { joinEqualContent, type LabelledFile } from '../../src/datasets/join-equal-content.js';
import type { Split } from '../../src/schemas/common.js';

let offset = 0;
function file(name: string, sha256: string, label: string, split?: Split): LabelledFile {
  return { name, sha256, label, offset: offset++, bytes: 1, ...(split && { split }) };
}

t.test('of one class, the first file is the example', (t) => {
  const { examples, duplicates } = joinEqualContent([
    file('1', 'A', 'cat'),
    file('2', 'B', 'cat'),
    file('3', 'A', 'cat'),
  ]);
  t.match(examples, [
    { sha256: 'A', name: '1', labels: ['cat'], conflict: undefined, origin: 'upload' },
    { sha256: 'B', name: '2', labels: ['cat'] },
  ]);
  t.same(duplicates, [{ name: '3', same_as: '1', kind: 'same_class' }]);
  t.end();
});

t.test('across splits, it is the first of the most held-out one', (t) => {
  const { examples, duplicates } = joinEqualContent([
    file('1', 'A', 'cat', 'train'),
    file('2', 'A', 'cat', 'test'),
    file('3', 'A', 'cat', 'validation'),
    file('4', 'A', 'cat', 'test'),
    file('5', 'B', 'cat', 'train'),
    file('6', 'B', 'cat', 'validation'),
  ]);
  t.match(examples, [
    { name: '2', split: 'test' },
    { name: '6', split: 'validation' },
  ]);
  t.same(duplicates, [
    { name: '1', same_as: '2', kind: 'across_splits' },
    { name: '3', same_as: '2', kind: 'across_splits' },
    { name: '4', same_as: '2', kind: 'same_class' },
    { name: '5', same_as: '6', kind: 'across_splits' },
  ]);
  t.end();
});

t.test('of several classes, one example has all labels, and the contradiction is listed', (t) => {
  const { examples, duplicates } = joinEqualContent([
    file('1', 'A', 'cat', 'train'),
    file('2', 'A', 'dog', 'test'),
    file('3', 'A', '__proto__', 'train'),
    file('4', 'A', 'dog', 'test'),
    file('5', 'B', 'dog', 'train'),
  ]);
  t.match(examples, [
    { sha256: 'A', name: '2', labels: ['__proto__', 'cat', 'dog'], split: 'test', conflict: true },
    { sha256: 'B', name: '5', labels: ['dog'], conflict: undefined },
  ]);
  t.same(duplicates, [
    { name: '1', same_as: '2', kind: 'other_label' },
    { name: '3', same_as: '2', kind: 'other_label' },
    { name: '4', same_as: '2', kind: 'same_class' },
  ]);
  t.end();
});
