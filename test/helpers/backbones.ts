import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ImportOptions, importBackbone } from '../../src/backbones/image/import/import-backbone.js';

/** Import a network to a folder of backbones, as those lie there that Graft comes with. */
export async function importInto(modelsDir: string, options: ImportOptions) {
  const imported = await importBackbone(options);
  const folder = join(modelsDir, imported.card.id);
  await mkdir(folder, { recursive: true });
  for (const [name, content] of imported.files) await writeFile(join(folder, name), content);
  await writeFile(join(folder, 'backbone.json'), JSON.stringify(imported.card));
  return { ...imported, folder };
}
