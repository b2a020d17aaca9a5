import sharp from 'sharp';
import type { ClassActivationMap } from './class-activation-map.js';
import { resample } from './resample.js';

/** A picture, and how its brightness or colour is read. */
export interface MapPicture {
  width: number;
  height: number;
  png: Buffer;
}

const MAX_GREY = 65_535;

/**
 * The map as numbers: 16-bit grey, where `value = min + grey / 65535 · (max − min)`.
 * @returns a PNG of the map's own size
 */
export async function mapPicture(map: ClassActivationMap): Promise<MapPicture & { min: number; max: number }> {
  const { width, height, values } = map;
  const [min, max] = [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
  const grey = Uint16Array.from(values, (value) =>
    max > min ? Math.round(((value - min) / (max - min)) * MAX_GREY) : 0,
  );
  const png = await sharp(grey, { raw: { width, height, channels: 1 } })
    .toColourspace('grey16')
    .png({ compressionLevel: 9 })
    .toBuffer();
  return { width, height, png, min, max };
}

/** Ends of ColorBrewer's RdBu: told apart by the colour-blind, equally light, so that neither side looks stronger. */
const FOR = [178, 24, 43] as const;
const AGAINST = [33, 102, 172] as const;
const MAX_OPAQUE = 0.75;
/** Few extreme positions must not pale all others. */
const LIMIT_QUANTILE = 0.98;

/**
 * The map on the image: red where it speaks for the class, blue where against it, the stronger the more; grey where it
 * does not matter. Zero is a position whose share of the bias makes its score zero.
 * @param pixels uint8 `[height, width, 3]`, as the backbone saw them
 * @param scale so many times as wide and as high as the image
 * @returns a PNG of the size of the image, or larger; `limit`: the value ± from which on the colour is full
 */
export async function overlayPicture(
  map: ClassActivationMap,
  pixels: Uint8Array,
  { width, height }: { width: number; height: number },
  scale = 1,
): Promise<MapPicture & { limit: number }> {
  const signed = map.values.map((value) => value + map.bias);
  const sizes = signed.map(Math.abs).sort();
  const limit = Math.max(sizes[Math.floor(LIMIT_QUANTILE * (sizes.length - 1))]!, Number.EPSILON);
  const values = resample(Float64Array.from(signed), map, { width, height });
  const out = Buffer.alloc(width * height * 3);
  for (let i = 0; i < values.length; i += 1) {
    const strength = Math.max(-1, Math.min(1, values[i]! / limit));
    const opacity = MAX_OPAQUE * Math.abs(strength);
    const colour = strength > 0 ? FOR : AGAINST;
    const [r, g, b] = [pixels[i * 3]!, pixels[i * 3 + 1]!, pixels[i * 3 + 2]!];
    const grey = 0.299 * r + 0.587 * g + 0.114 * b;
    for (let c = 0; c < 3; c += 1) out[i * 3 + c] = Math.round(grey * (1 - opacity) + colour[c]! * opacity);
  }
  const size = { width: width * scale, height: height * scale };
  const picture = sharp(out, { raw: { width, height, channels: 3 } });
  const png = await (scale === 1 ? picture : picture.resize({ ...size, fit: 'fill' }))
    .png({ compressionLevel: 9 })
    .toBuffer();
  return { ...size, png, limit };
}
