import t from 'tap';
import { chooseExemplars } from '../../src/training/choose-exemplars.js';

t.test('few images are all remembered', (t) => {
  t.same(chooseExemplars([3, 5, 9], new Int32Array(10), 2000, 0), [3, 5, 9]);
  t.end();
});

t.test('of many a bounded choice is, with the small classes whole, and the seed decides', (t) => {
  const y = Int32Array.from({ length: 20_000 }, (_, i) => (i % 1000 === 0 ? 1 : 0));
  const images = [...y.keys()];
  const chosen = chooseExemplars(images, y, 100, 0);
  t.equal(chosen.length, 5000);
  t.equal(new Set(chosen).size, 5000);
  t.equal(chosen.filter((image) => y[image] === 1).length, 20);
  // As texts: comparing thousands of elements one by one takes seconds.
  t.equal(String(chosen), String(chooseExemplars(images, y, 100, 0)));
  t.not(String(chosen), String(chooseExemplars(images, y, 100, 1)));
  t.ok(chooseExemplars(images, y, 100_000, 0).length * 100_000 <= 8 * 2 ** 20, 'bounded in bytes');
  t.end();
});
