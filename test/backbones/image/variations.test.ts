import t from 'tap';
import { drawVariation } from '../../../src/backbones/image/variations.js';

const OFF = { copies: 2, flip: false, crop: 0, zoom: 0, rotation: 0, shear: 0 };
const ALL = { copies: 2, flip: true, crop: 0.3, zoom: 0.2, rotation: 15, shear: 0.1 };
const draws = (settings: typeof ALL) =>
  Array.from({ length: 200 }, (_, i) => drawVariation(settings, `sha${i}`, i % 2));

t.test('with everything off a variation is the photo itself', (t) => {
  for (const variation of draws(OFF)) {
    t.match(variation, { flip: false, box: { left: 0, top: 0, width: 1, height: 1 } });
    t.equal(Math.abs(variation.rotation) + Math.abs(variation.shear), 0);
  }
  t.end();
});

t.test('image, copy and settings decide, so that features can be cached', (t) => {
  t.same(drawVariation(ALL, 'a', 0), drawVariation({ ...ALL, copies: 5 }, 'a', 0));
  t.notSame(drawVariation(ALL, 'a', 1), drawVariation(ALL, 'a', 0));
  t.notSame(drawVariation(ALL, 'b', 0), drawVariation(ALL, 'a', 0));
  t.end();
});

t.test('variations stay within what was asked, and make use of it', (t) => {
  const all = draws(ALL);
  for (const { box, rotation, shear } of all) {
    t.ok(Math.abs(rotation) <= 15 && Math.abs(shear) <= 0.1);
    for (const [start, size] of [
      [box.left, box.width],
      [box.top, box.height],
    ] as const) {
      t.ok(size >= 0.7 * 0.8 - 1e-9 && size <= 1.2 + 1e-9);
      t.ok(size > 1 ? Math.abs(start - (1 - size) / 2) < 1e-9 : start >= 0 && start + size <= 1 + 1e-9);
    }
  }
  const flipped = all.filter(({ flip }) => flip).length;
  t.ok(flipped > 70 && flipped < 130, String(flipped));
  t.ok(Math.max(...all.map(({ rotation }) => rotation)) > 10 && Math.min(...all.map(({ rotation }) => rotation)) < -10);
  t.end();
});
