import { seededRandom } from '../../numbers/random.js';
import type { Augmentation } from '../../schemas/jobs.js';
import type { Variation } from './pixels.js';

/** Draw the `copy`-th variation of an image. It depends on the image and the settings only, so its features can be cached. */
export function drawVariation(settings: Augmentation, imageSha256: string, copy: number): Variation {
  const random = seededRandom(copy, `variation ${imageSha256}`);
  const between = (low: number, high: number) => low + random() * (high - low);
  const zoom = 1 + between(-settings.zoom, settings.zoom);
  const [width, height] = [(1 - settings.crop * random()) * zoom, (1 - settings.crop * random()) * zoom];
  return {
    flip: random() < 0.5 && settings.flip,
    box: {
      width,
      height,
      left: width < 1 ? between(0, 1 - width) : (1 - width) / 2,
      top: height < 1 ? between(0, 1 - height) : (1 - height) / 2,
    },
    rotation: between(-settings.rotation, settings.rotation),
    shear: between(-settings.shear, settings.shear),
  };
}
