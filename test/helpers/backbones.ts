import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Backbones, type BackbonesOptions } from '../../src/backbones/backbones.js';
import type { Backbone } from '../../src/backbones/contract.js';
import { EmbeddedBackbones } from '../../src/backbones/embedded.js';
import { type ImportOptions, importBackbone } from '../../src/backbones/image/import/import-backbone.js';
import { imageModality } from '../../src/backbones/image/modality.js';
import type { DenseFeatures } from '../../src/numbers/features.js';

export const IMAGES = imageModality({ maxPixels: 1e8, maxBytes: 1e8 });

/** The image backbones of a folder. */
export function backbonesIn(folder: string, options: Partial<BackbonesOptions> = {}): Backbones {
  return new Backbones({
    source: new EmbeddedBackbones({ folder }),
    modalities: [IMAGES],
    threads: 1,
    ...options,
  });
}

/** Features of a batch of images that lie one after another, uint8 `[count, H, W, 3]`; `[count, D]`. */
export async function embedTogether(backbone: Backbone, pixels: Uint8Array, count: number): Promise<Float32Array> {
  const size = pixels.length / count;
  const images = Array.from({ length: count }, (_, i) => pixels.subarray(i * size, (i + 1) * size));
  return ((await backbone.embed(images)) as DenseFeatures).values;
}

/** Features of one content, `[D]`. */
export async function featuresOf(backbone: Backbone, content: Uint8Array): Promise<Float32Array> {
  return ((await backbone.embed([await backbone.prepare(content)])) as DenseFeatures).values;
}

/** Import a network to a folder of backbones, as those lie there that Graft comes with. */
export async function importInto(modelsDir: string, options: ImportOptions) {
  const imported = await importBackbone(options);
  const folder = join(modelsDir, imported.card.id);
  await mkdir(folder, { recursive: true });
  for (const [name, content] of imported.files) await writeFile(join(folder, name), content);
  await writeFile(join(folder, 'backbone.json'), JSON.stringify(imported.card));
  return { ...imported, folder };
}
