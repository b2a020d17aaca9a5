/**
 * drawing/ makes photos for whoever has none at hand: the demo, and the operation that fills an empty service.
 *
 * This file: one photo.
 */
import sharp from 'sharp';

/** What can be drawn, and told apart. */
export const DRAWN_KINDS = ['balloon', 'house', 'leaf', 'mug'] as const;
export type DrawnKind = (typeof DRAWN_KINDS)[number];

const SIZE = 192;

type Random = () => number;

/**
 * A picture that passes for a small, bad photo: one thing, somewhere, in any size, tilt and colour, before a cluttered
 * background, out of focus and with grain. Colour tells nothing, so that the shape must be learnt.
 * @returns a JPEG.
 */
export async function drawPhoto(kind: DrawnKind, random: Random): Promise<Buffer> {
  const between = (low: number, high: number) => low + (high - low) * random();
  const colour = () =>
    `hsl(${Math.floor(between(0, 360))} ${Math.floor(between(25, 85))}% ${Math.floor(between(30, 75))}%)`;
  const scale = between(0.65, 1.15);
  const place = `translate(${between(70, 122)} ${between(70, 122)}) rotate(${between(-25, 25)}) scale(${scale})`;
  const clutter = Array.from({ length: 7 }, () => clutterShape(between, colour)).join('');
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${SIZE}" height="${SIZE}">
    <defs><linearGradient id="ground" x2="${random()}" y2="1"><stop stop-color="${colour()}"/><stop offset="1" stop-color="${colour()}"/></linearGradient></defs>
    <rect width="100%" height="100%" fill="url(#ground)"/>${clutter}
    <g transform="${place}" stroke="rgb(30 30 30)" stroke-width="${between(0, 3)}">${SHAPES[kind](between, colour)}</g>
  </svg>`;
  return sharp(Buffer.from(svg))
    .composite([{ input: grain(random, between(8, 26)), raw: { width: SIZE, height: SIZE, channels: 4 } }])
    .blur(between(0.4, 1.8))
    .modulate({ brightness: between(0.65, 1.25), saturation: between(0.4, 1.1) })
    .jpeg({ quality: Math.floor(between(60, 88)) })
    .toBuffer();
}

type Between = (low: number, high: number) => number;
type Shape = (between: Between, colour: () => string) => string;

/** Around the origin, about 120 high. */
const SHAPES: Record<DrawnKind, Shape> = {
  balloon: (between, colour) => {
    const width = between(34, 48);
    return `<path d="M0 52 q${between(-25, 25)} 25 ${between(-8, 8)} 55" fill="none" stroke-width="2"/>
      <ellipse rx="${width}" ry="${between(46, 58)}" fill="${colour()}"/><path d="M-6 60 L0 50 L6 60 Z" fill="${colour()}"/>
      <ellipse cx="${-width * 0.35}" cy="-22" rx="7" ry="12" fill="white" opacity="0.5"/>`;
  },
  house: (between, colour) => {
    const half = between(36, 52);
    const eaves = between(-18, 0);
    return `<rect x="${-half}" y="${eaves}" width="${half * 2}" height="${55 - eaves}" fill="${colour()}"/>
      <path d="M${-half - 9} ${eaves} L0 ${eaves - between(30, 52)} L${half + 9} ${eaves} Z" fill="${colour()}"/>
      <rect x="${between(-24, 8)}" y="22" width="16" height="33" fill="${colour()}"/>
      <rect x="${half - 22}" y="${eaves + 9}" width="14" height="14" fill="${colour()}"/>`;
  },
  leaf: (between, colour) => {
    const belly = between(30, 50);
    const veins = [-24, -6, 12, 30]
      .map((y) => `M0 ${y} L${belly * 0.5} ${y - 14} M0 ${y} L${-belly * 0.5} ${y - 14}`)
      .join(' ');
    return `<path d="M0 -60 C${belly} -30 ${belly} 25 0 55 C${-belly} 25 ${-belly} -30 0 -60 Z" fill="${colour()}"/>
      <path d="M0 -55 L0 ${between(62, 82)} ${veins}" fill="none" stroke="${colour()}" stroke-width="3"/>`;
  },
  mug: (between, colour) => {
    const half = between(28, 42);
    const height = between(62, 88);
    const fill = colour();
    return `<ellipse cx="${half}" cy="0" rx="${between(18, 26)}" ry="${height * 0.3}" fill="none" stroke="${fill}" stroke-width="9"/>
      <rect x="${-half}" y="${-height / 2}" width="${half * 2}" height="${height}" rx="7" fill="${fill}"/>
      <ellipse cy="${-height / 2}" rx="${half}" ry="8" fill="${colour()}"/>`;
  },
};

function clutterShape(between: Between, colour: () => string): string {
  const [x, y, size] = [between(0, SIZE), between(0, SIZE), between(8, 46)];
  const opacity = between(0.3, 0.9);
  return between(0, 1) < 0.5
    ? `<circle cx="${x}" cy="${y}" r="${size / 2}" fill="${colour()}" opacity="${opacity}"/>`
    : `<rect x="${x}" y="${y}" width="${size}" height="${between(8, 46)}" fill="${colour()}" opacity="${opacity}" transform="rotate(${between(0, 90)} ${x} ${y})"/>`;
}

/** Noise as a layer [SIZE, SIZE, RGBA]: grey, and as opaque as `strength` of 255. */
function grain(random: Random, strength: number): Buffer {
  const pixels = Buffer.alloc(SIZE * SIZE * 4);
  for (let i = 0; i < pixels.length; i += 4) {
    pixels.fill(Math.floor(random() * 256), i, i + 3);
    pixels[i + 3] = strength;
  }
  return pixels;
}
