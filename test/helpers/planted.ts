import sharp from 'sharp';

/** What people do to photos: each gives another file with the same picture. */
export const COPIES: Record<string, (bytes: Buffer) => Promise<Buffer>> = {
  're-encoded': (bytes) => sharp(bytes).jpeg({ quality: 60 }).toBuffer(),
  'half the size': (bytes) => scaled(bytes, 0.5),
  'cropped by 3 %': (bytes) => cropped(bytes, 0.03),
  'cropped by 8 %': (bytes) => cropped(bytes, 0.08),
  mirrored: (bytes) => sharp(bytes).flop().jpeg({ quality: 85 }).toBuffer(),
  brightened: (bytes) => sharp(bytes).modulate({ brightness: 1.15 }).jpeg({ quality: 85 }).toBuffer(),
};

async function scaled(bytes: Buffer, factor: number): Promise<Buffer> {
  const { width, height } = await sharp(bytes).metadata();
  return sharp(bytes)
    .resize(Math.round(width * factor), Math.round(height * factor))
    .jpeg({ quality: 85 })
    .toBuffer();
}

async function cropped(bytes: Buffer, share: number): Promise<Buffer> {
  const { width, height } = await sharp(bytes).metadata();
  const [left, top] = [Math.round(width * share), Math.round(height * share)];
  return sharp(bytes)
    .extract({ left, top, width: width - 2 * left, height: height - 2 * top })
    .jpeg({ quality: 85 })
    .toBuffer();
}

/** Noise, and pictures of nothing. */
export async function foreignPictures(random: () => number): Promise<{ kind: 'noise' | 'blank'; bytes: Buffer }[]> {
  const side = 200;
  const noise = () => Buffer.from(Array.from({ length: side * side * 3 }, () => Math.floor(random() * 256)));
  const blank = (grey: number) => Buffer.alloc(side * side * 3, grey);
  const pictures = [
    { kind: 'noise' as const, pixels: noise() },
    { kind: 'noise' as const, pixels: noise() },
    ...[0, 128, 255].map((grey) => ({ kind: 'blank' as const, pixels: blank(grey) })),
  ];
  return Promise.all(
    pictures.map(async ({ kind, pixels }) => ({
      kind,
      bytes: await sharp(pixels, { raw: { width: side, height: side, channels: 3 } })
        .jpeg()
        .toBuffer(),
    })),
  );
}

/** A copy of features `[N, D]`, each feature with mean 0 and deviation 1. */
export function standardised(x: Float32Array, D: number): Float32Array {
  const N = x.length / D;
  const out = x.slice();
  const deviations = new Float64Array(D);
  for (let d = 0; d < D; d += 1) {
    let [mean, square] = [0, 0];
    for (let n = 0; n < N; n += 1) mean += x[n * D + d]! / N;
    for (let n = 0; n < N; n += 1) square += (x[n * D + d]! - mean) ** 2 / N;
    deviations[d] = Math.sqrt(square);
    for (let n = 0; n < N; n += 1) out[n * D + d]! -= mean;
  }
  const floor = (0.01 * deviations.reduce((a, b) => a + b, 0)) / D;
  for (let i = 0; i < out.length; i += 1) out[i]! /= Math.max(deviations[i % D]!, floor, 1e-9);
  return out;
}
