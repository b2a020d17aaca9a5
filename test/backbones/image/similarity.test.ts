import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { pictureSignature, pictureSimilarity } from '../../../src/backbones/image/similarity.js';
import { randomFrom } from '../../helpers/photos.js';
import { COPIES, foreignPictures } from '../../helpers/planted.js';
import { needs, SHARED } from '../../helpers/shared.js';

const read = (bytes: Buffer) => pictureSignature(bytes, { maxPixels: 1e7 });

t.test(
  'a copy is the same picture, whatever was done to it; another photo is not',
  needs('datasets', 'clothing'),
  async (t) => {
    const folder = join(SHARED, 'datasets', 'clothing', 'test', 'pants');
    const photos = readdirSync(folder)
      .slice(0, 12)
      .map((name) => readFileSync(join(folder, name)));
    const signatures = await Promise.all(photos.map(read));
    for (const [kind, change] of Object.entries(COPIES)) {
      for (const [i, bytes] of photos.slice(0, 4).entries()) {
        const similarity = pictureSimilarity(signatures[i]!, await read(await change(bytes)));
        t.ok(similarity > 0.88, `${kind}: ${similarity}`);
      }
    }
    for (const [i, one] of signatures.entries()) {
      for (const other of signatures.slice(i + 1)) t.ok(pictureSimilarity(one, other) < 0.88);
    }
  },
);

t.test('blank pictures are like nothing, not even each other', async (t) => {
  const blank = (await foreignPictures(randomFrom(1))).filter(({ kind }) => kind === 'blank');
  const [a, b] = await Promise.all(blank.map(({ bytes }) => read(bytes)));
  t.equal(pictureSimilarity(a!, b!), 0);
});
