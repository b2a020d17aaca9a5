import t from 'tap';
import { classWarnings, countClasses, countSplits } from '../../src/datasets/class-counts.js';
import type { Split } from '../../src/schemas/common.js';
import type { Example } from '../../src/schemas/datasets.js';

function examples(...labels: [label: string, split?: Split][]): Example[] {
  const rest = { name: '', offset: 0, bytes: 1, sha256: '', origin: 'upload' as const };
  return labels.map(([label, split]) => ({ ...rest, labels: [label], ...(split && { split }) }));
}

/** Without names and digests of examples. */
const counted = (found: Example[]) => countClasses(found).map(({ names: _, digests: __, ...rest }) => rest);

t.test('three names stand beside each class', (t) => {
  const found = ['1', '2', '3', '4'].map((name) => ({ ...examples(['a'])[0]!, name }));
  t.same(countClasses(found)[0]!.names, ['1', '2', '3']);
  t.end();
});

t.test('classes are counted, by code point, whatever they are called', (t) => {
  t.same(counted(examples(['b'], ['__proto__'], ['🐈'], ['b'], ['\uffee'], ['B'])), [
    { label: 'B', examples: 1 },
    { label: '__proto__', examples: 1 },
    { label: 'b', examples: 2 },
    { label: '\uffee', examples: 1 },
    { label: '🐈', examples: 1 },
  ]);
  t.end();
});

t.test('splits are counted where there are any', (t) => {
  const found = examples(['a', 'train'], ['a', 'test'], ['b', 'train']);
  t.same(counted(found), [
    { label: 'a', examples: 2, splits: { train: 1, validation: 0, test: 1 } },
    { label: 'b', examples: 1, splits: { train: 1, validation: 0, test: 0 } },
  ]);
  t.same(countSplits(found), { train: 2, validation: 0, test: 1 });
  t.equal(countSplits(examples(['a'])), null);
  t.end();
});

t.test('an example with several labels counts in no class, and its classes are there', (t) => {
  const [one, two] = examples(['a'], ['b']);
  t.same(counted([one!, { ...two!, labels: ['a', 'b'], conflict: true }]), [
    { label: 'a', examples: 1 },
    { label: 'b', examples: 0 },
  ]);
  t.end();
});

t.test('one class, small classes, untrained classes and look-alikes are warned of', (t) => {
  const warnings = (...labels: [string, Split?][]) =>
    classWarnings(countClasses(examples(...labels)), { one: 'image', many: 'images' });
  t.match(warnings(...Array(5).fill(['a'])), [/only one class, "a"/]);
  t.match(warnings(...Array(5).fill(['a']), ['b']), [/fewer than 5 images: "b" \(1\)/]);
  t.match(warnings(...Array(5).fill(['a', 'train']), ...Array(5).fill(['b', 'test'])), [
    /no image is for training: "b"/,
  ]);
  t.match(warnings(...Array(5).fill(['Cat']), ...Array(5).fill(['cat'])), [/"Cat" and "cat" differ only by case/]);
  t.same(warnings(...Array(5).fill(['a']), ...Array(5).fill(['b'])), []);
  t.end();
});
