import t from 'tap';
import { dense, takeRows } from '../../../src/numbers/features.js';
import { groupPairs } from '../../../src/training/doctor/near-duplicates.js';
import { nearestNeighbours } from '../../../src/training/doctor/neighbours.js';
import { randomFrom } from '../../helpers/photos.js';

/** Points in clouds, and the nearest others of one of them, counted out. */
function cloud(images: number, dimensions: number) {
  const random = randomFrom(5);
  const gauss = () => Math.sqrt(-2 * Math.log(random() + 1e-12)) * Math.cos(2 * Math.PI * random());
  const centres = Array.from({ length: 20 * dimensions }, () => 2 * gauss());
  const x = new Float32Array(images * dimensions);
  for (let i = 0; i < images; i += 1) {
    for (let d = 0; d < dimensions; d += 1) x[i * dimensions + d] = centres[(i % 20) * dimensions + d]! + gauss();
  }
  const distance = (a: number, b: number) => {
    let sum = 0;
    for (let d = 0; d < dimensions; d += 1) sum += (x[a * dimensions + d]! - x[b * dimensions + d]!) ** 2;
    return sum;
  };
  const nearest = (image: number, count: number) =>
    [...Array(images).keys()]
      .filter((other) => other !== image)
      .map((other) => ({ other, distance: distance(image, other) }))
      .sort((a, b) => a.distance - b.distance)
      .slice(0, count);
  return { x, distance, nearest };
}

t.test('they are those that counting out gives, over the borders of blocks', async (t) => {
  const [images, dimensions, count] = [2100, 24, 11];
  const { x, nearest } = cloud(images, dimensions);
  const found = await nearestNeighbours({ features: dense(x, dimensions), rows: images, count });
  for (const image of [0, 1, 1023, 1024, 1500, 2047, 2048, 2099]) {
    const expected = nearest(image, count);
    const row = (values: Int32Array | Float64Array) => [...values.subarray(image * count, (image + 1) * count)];
    t.same(
      row(found.index),
      expected.map(({ other }) => other),
    );
    for (const [i, { distance }] of expected.entries()) {
      t.ok(Math.abs(row(found.distance)[i]! - distance) < 1e-3 * distance);
    }
  }
});

t.test('of many images they are nearly those, their distances exact, and a copy comes first', async (t) => {
  const [images, dimensions, count] = [5200, 300, 11];
  const { x, distance } = cloud(images, dimensions);
  x.copyWithin(5100 * dimensions, 17 * dimensions, 18 * dimensions);
  const found = await nearestNeighbours({ features: dense(x, dimensions), rows: images, count });
  t.same([found.index[17 * count], found.index[5100 * count]], [5100, 17]);
  for (const image of [3, 2000, 5199]) {
    for (let place = 0; place < count; place += 1) {
      const other = found.index[image * count + place]!;
      t.equal(other % 20, image % 20, 'of the same cloud');
      t.ok(Math.abs(found.distance[image * count + place]! - distance(image, other)) < 1e-2);
    }
  }
});

t.test('pairs join to groups', (t) => {
  const pairs = [
    [4, 7],
    [1, 2],
    [7, 9],
    [2, 3],
    [9, 8],
  ].map(([a, b]) => ({ a: a!, b: b! }));
  t.same(groupPairs(pairs), [
    [1, 2, 3],
    [4, 7, 8, 9],
  ]);
  t.same(groupPairs([]), []);
  t.end();
});

t.test('of some rows of a larger matrix they are those of these rows alone, few or many', async (t) => {
  for (const [images, dimensions] of [
    [300, 24],
    [5300, 300],
  ] as const) {
    const { x } = cloud(images + 100, dimensions);
    const rows = Array.from({ length: images }, (_, i) => images + 99 - i);
    const features = dense(x, dimensions);
    const found = await nearestNeighbours({ features, rows, count: 5 });
    const alone = await nearestNeighbours({ features: takeRows(features, rows), rows: images, count: 5 });
    t.same(found, alone);
  }
});
