import sharp, { type Sharp } from 'sharp';
import { seededRandom } from '../../numbers/random.js';
import type { Augmentation } from '../../schemas/jobs.js';

/** How a training image is varied. Shares are of the width and height. */
export interface Variation extends Record<string, unknown> {
  flip: boolean;
  /** Part of the photo that is kept; may reach beyond the photo (zoom out), where its edge is repeated. */
  box: { left: number; top: number; width: number; height: number };
  /** Degrees, clockwise. */
  rotation: number;
  /** Horizontal shear, as a share of the height. */
  shear: number;
}

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

/** Apply a variation to the photo at a working size, before it is scaled for the backbone. */
export async function varied(image: Sharp, { flip, box, rotation, shear }: Variation): Promise<Sharp> {
  const working = 512;
  const { data, info } = await image
    .resize({ width: working, height: working, fit: 'inside', withoutEnlargement: true })
    .flatten({ background: '#ffffff' })
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  const { width, height } = info;
  // The repeated edge around the photo is what a rotated or zoomed-out box may see.
  const side = Math.ceil(Math.max(width, height) * (box.width > 1 || box.height > 1 || rotation || shear ? 0.9 : 0));
  const margin = { x: side, y: side };
  const raw = (pixels: Buffer, w: number, h: number) =>
    sharp(pixels, { raw: { width: w, height: h, channels: info.channels as 3 } });
  const padded = await raw(data, width, height)
    .extend({ left: margin.x, right: margin.x, top: margin.y, bottom: margin.y, extendWith: 'copy' })
    .raw()
    .toBuffer();
  const angle = (rotation * Math.PI) / 180;
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const moved =
    rotation === 0 && shear === 0
      ? { data: padded, info: { width: width + 2 * margin.x, height: height + 2 * margin.y } }
      : await raw(padded, width + 2 * margin.x, height + 2 * margin.y)
          .affine([cos, cos * shear - sin, sin, sin * shear + cos], { interpolator: 'bilinear', background: '#ffffff' })
          .raw()
          .toBuffer({ resolveWithObject: true });
  const clamp = (value: number, low: number, high: number) => Math.min(high, Math.max(low, Math.round(value)));
  const boxWidth = clamp(box.width * width, 8, moved.info.width);
  const boxHeight = clamp(box.height * height, 8, moved.info.height);
  const centreX = moved.info.width / 2 + (box.left + box.width / 2 - 0.5) * width;
  const centreY = moved.info.height / 2 + (box.top + box.height / 2 - 0.5) * height;
  const cut = raw(moved.data, moved.info.width, moved.info.height).extract({
    left: clamp(centreX - boxWidth / 2, 0, moved.info.width - boxWidth),
    top: clamp(centreY - boxHeight / 2, 0, moved.info.height - boxHeight),
    width: boxWidth,
    height: boxHeight,
  });
  const { data: pixels, info: size } = await (flip ? cut.flop() : cut).raw().toBuffer({ resolveWithObject: true });
  return raw(pixels, size.width, size.height);
}
