import sharp from 'sharp';
import type { Dataset } from '../../src/schemas/datasets.js';
import type { Job, JobSettings } from '../../src/schemas/jobs.js';
import { tar, zip } from './archives.js';
import type { TestService } from './service.js';

/** Numbers from 0 to 1 that depend on the seed alone. */
export function randomFrom(seed: number): () => number {
  let state = (seed * 2_654_435_761 + 12_345) >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Raw pixels of a picture of class `kind`: a colour, stripes in a direction of its own, and noise that is the seed's. */
export function pixels(kind: number, seed: number, width = 48, height = width): Buffer {
  const random = randomFrom(seed * 7919 + kind + 1);
  const hue = (kind * 0.618_034) % 1;
  const angle = kind * 1.3;
  const shift = random() * 6;
  const bytes = Buffer.alloc(width * height * 3);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const stripe = Math.sin((x * Math.cos(angle) + y * Math.sin(angle)) / (2 + (kind % 4)) + shift);
      for (let c = 0; c < 3; c += 1) {
        const base = 128 + 90 * Math.sin(2 * Math.PI * (hue + c / 3));
        bytes[(y * width + x) * 3 + c] = Math.max(0, Math.min(255, base + 30 * stripe + 40 * (random() - 0.5)));
      }
    }
  }
  return bytes;
}

export function photo(kind: number, seed: number, size = 48): Promise<Buffer> {
  return sharp(pixels(kind, seed, size), { raw: { width: size, height: size, channels: 3 } })
    .jpeg({ quality: 90 })
    .toBuffer();
}

/** Files `label/n.jpg`, each different. `perClass`: a number for all, or one for each. */
export async function photos(
  labels: string[],
  perClass: number | number[],
  { size = 48, seed = 0 }: { size?: number; seed?: number } = {},
): Promise<{ name: string; bytes: Buffer }[]> {
  const wanted = labels.flatMap((label, kind) =>
    Array.from({ length: typeof perClass === 'number' ? perClass : perClass[kind]! }, (_, n) => ({ label, kind, n })),
  );
  const files: { name: string; bytes: Buffer }[] = [];
  for (const { label, kind, n } of wanted) {
    files.push({ name: `${label}/${n}.jpg`, bytes: await photo(kind, seed * 100_003 + n, size) });
  }
  return files;
}

/** Upload an archive (default: a zip of these photos) as the raw body. */
export async function upload(
  { json }: Pick<TestService, 'json'>,
  files: { name: string; bytes: Buffer }[],
  { as = 'zip', headers = {} }: { as?: 'zip' | 'tar'; headers?: Record<string, string> } = {},
): Promise<Dataset> {
  const body = as === 'zip' ? zip(files.map((file) => ({ ...file, stored: true }))) : tar(files);
  return json<Dataset>('/v1/datasets', { method: 'POST', body: new Uint8Array(body), headers, status: 201 });
}

export async function submit(
  { json }: Pick<TestService, 'json'>,
  settings: JobSettings & { dataset: string },
  headers: Record<string, string> = {},
): Promise<Job> {
  return json<Job>('/v1/jobs', {
    method: 'POST',
    body: JSON.stringify(settings),
    headers: { 'content-type': 'application/json', ...headers },
    status: 202,
  });
}
