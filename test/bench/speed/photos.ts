import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { randomFrom } from '../../helpers/photos.js';
import { SHARED } from '../../helpers/shared.js';

/** Real JPEGs of many sizes, the same ones in the same mixed order in every run. @returns their paths */
export function realPhotos(count: number, sets = ['clothing/test', 'cats-dogs/test', 'imagenet-val']): string[] {
  const paths = sets.flatMap((set) => {
    const folder = join(SHARED, 'datasets', set);
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
    return files
      .filter((path) => /\.jpe?g$/i.test(path))
      .map((path) => join(folder, path))
      .sort();
  });
  const random = randomFrom(7);
  for (let i = paths.length - 1; i > 0; i -= 1) {
    const j = Math.floor(random() * (i + 1));
    [paths[i], paths[j]] = [paths[j]!, paths[i]!];
  }
  return paths.slice(0, count);
}
