/** Data sets over a test folder, images to put in them, and a simple inspector in place of the real one. */
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import sharp from 'sharp';
import { mayBeImage } from '../../src/backbones/image/names.js';
import { Datasets, type DatasetsOptions } from '../../src/datasets/datasets.js';
import type { DatasetModality } from '../../src/datasets/examine-entry.js';
import { AppError } from '../../src/errors.js';
import { FileStorage } from '../../src/storage/file-storage.js';

/** Photos and broken files for tests, beside the package; undefined (and said so) where they are not installed. */
export function sharedFolder(name: string): string | undefined {
  const packageRoot = resolve(import.meta.dirname, '..', '..', '..');
  const folder = resolve(process.env.GRAFT_SHARED ?? join(packageRoot, '..', 'shared'), name);
  return existsSync(folder) ? folder : undefined;
}

/** Decodes the whole image, so that a cut one is found out. */
export async function inspectImage(bytes: Uint8Array): Promise<{ width: number; height: number }> {
  try {
    const image = sharp(bytes, { limitInputPixels: 50_000_000 });
    const { format, width, height } = await image.metadata();
    if (!['jpeg', 'png', 'webp'].includes(format)) {
      throw new AppError('content_unsupported', `It is ${format}; send JPEG, PNG or WebP.`);
    }
    await image.resize(8, 8).raw().toBuffer();
    return { width, height };
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw new AppError('content_invalid', 'It cannot be decoded.', { cause: error });
  }
}

/** Images, inspected by a simple stand-in for the real one. */
export const IMAGES: DatasetModality = {
  id: 'image',
  words: { one: 'image', many: 'images' },
  maxBytes: 32 * 1024 * 1024,
  maxBytesSetting: 'MAX_EXAMPLE_BYTES',
  mayBeContent: mayBeImage,
  inspect: async (content) => ({ ...(await inspectImage(content)) }),
  mediaType: () => 'image/png',
};

const made = new Map<string, Promise<Buffer>>();

/** A small PNG; the same seed gives the same bytes. */
export function image(seed: string | number): Promise<Buffer> {
  const key = String(seed);
  const known = made.get(key);
  if (known) return known;
  const pixels = Buffer.alloc(6 * 4 * 3);
  for (let i = 0; i < pixels.length; i += 1) pixels[i] = (key.charCodeAt(i % key.length) * (i + 7)) % 256;
  pixels.write(key.slice(0, pixels.length), 'latin1');
  const bytes = sharp(pixels, { raw: { width: 6, height: 4, channels: 3 } })
    .png()
    .toBuffer();
  made.set(key, bytes);
  return bytes;
}

/** Files for an archive: paths with images, each different. */
export async function images(...names: string[]): Promise<{ name: string; bytes: Buffer }[]> {
  return Promise.all(names.map(async (name) => ({ name, bytes: await image(name) })));
}

/** Data sets of images (with `images` instead) whose storage and temporary folder lie in `root`. */
export function datasetsIn(
  root: string,
  { images = {}, ...options }: Partial<DatasetsOptions> & { images?: Partial<DatasetModality> } = {},
) {
  const storage = options.storage ?? new FileStorage({ root: join(root, 'data') });
  const temporaryFolder = join(root, 'uploads');
  const datasets = new Datasets({
    storage,
    temporaryFolder,
    modalities: [{ ...IMAGES, ...images }],
    concurrency: 4,
    ...options,
    limits: {
      maxUploadBytes: 2 ** 31,
      maxEntries: 200_000,
      maxRatio: 200,
      ...options.limits,
    },
  });
  return {
    datasets,
    storage,
    /** Take in an archive that lies in memory. */
    create: (archive: Buffer) =>
      datasets.create({ tenant: 'default', by: 'local', source: pieces(archive), name: 'test' }),
    /** Every file left in storage or in the folder of uploads. */
    leftovers: async () => [
      ...(await storage.list('tenants/default/datasets')),
      ...(await storage.list('.tmp')),
      ...(existsSync(temporaryFolder) ? await readdir(temporaryFolder) : []),
    ],
  };
}

/** A stream of `bytes` in pieces, as from a socket. */
export function pieces(bytes: Buffer, size = 64 * 1024): Readable {
  return Readable.from(
    (function* () {
      for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
    })(),
    { objectMode: false },
  );
}
