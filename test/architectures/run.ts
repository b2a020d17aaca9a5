/**
 * `npm run test:architectures -- [NAME …]`: the real structures of known networks, with random weights, as torchvision, timm and
 * Keras write them: imported, trained on, served, handed out, and the answers compared; and the top of each through the
 * training's engine. What a library is not here for is skipped, and said. Python is asked for as GRAFT_PYTHON, or where it
 * usually lies; several may be named, by ":".
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EmbeddedBackbones } from '../../src/backbones/embedded.js';
import { PACKAGE_ROOT } from '../../src/config.js';
import { possibleBlocks } from '../../src/top/trainable-blocks.js';
import { importInto } from '../helpers/backbones.js';
import { examineArchitecture, pixelsOf, servedAndDownloaded } from '../helpers/examine-architecture.js';
import { imageAppForTest } from '../helpers/image-app.js';
import { photos } from '../helpers/photos.js';
import { RECIPE } from '../helpers/recipe.js';
import { SHARED } from '../helpers/shared.js';

const PHOTOS = 16;
/** Numbers of one image behind a cut, beyond which its top is not computed here. */
const MAX_VALUES = 6_000_000;
const NEEDS = {
  torchvision: 'torch, torchvision, onnx',
  timm: 'torch, timm, onnx',
  keras: 'keras, tensorflow, tf2onnx',
};
const wanted = process.argv.slice(2);
const pythons = (process.env.GRAFT_PYTHON ?? 'python3:/usr/bin/python3').split(':');

const folder = process.env.GRAFT_ARCHITECTURES ?? mkdtempSync(join(tmpdir(), 'graft-architectures-'));
mkdirSync(folder, { recursive: true });
if (process.env.GRAFT_ARCHITECTURES === undefined) makeAll();

const images = realPhotos() ?? (await photos(['birch', 'cloud'], PHOTOS / 2, { size: 320 })).map(({ bytes }) => bytes);
const files = images.map((bytes, i) => ({ name: `${i % 2 === 0 ? 'one' : 'other'}/${i}.jpg`, bytes }));
let failed = 0;

for (const name of readdirSync(folder)
  .filter((each) => each.endsWith('.onnx'))
  .sort()) {
  const id = name.slice(0, -'.onnx'.length);
  if (wanted.length > 0 && !wanted.includes(id)) continue;
  try {
    await tryOne(id);
  } catch (error) {
    failed += 1;
    console.log(`${id.padEnd(34)} FAILED: ${error instanceof Error ? error.message : error}`);
  }
}
console.log(failed === 0 ? 'All of them passed.' : `${failed} failed.`);
process.exit(failed === 0 ? 0 : 1);

async function tryOne(id: string): Promise<void> {
  const { preset } = JSON.parse(readFileSync(join(folder, `${id}.json`), 'utf8')) as { preset: string };
  const path = join(folder, `${id}.onnx`);
  const models = mkdtempSync(join(tmpdir(), 'graft-models-'));
  const undo: (() => unknown)[] = [() => rmSync(models, { recursive: true })];
  try {
    const imported = await importInto(models, { file: path, id, preset, maxBytes: 2 ** 31 });
    const { card, parts } = imported;
    const pixels = await pixelsOf(images, card);
    const { blocks, limit } = card.top!;
    const deepest = blocks.findLastIndex(({ values }) => values <= MAX_VALUES);
    const cuts = [...new Set([0, deepest])].filter((cut) => cut >= 0 && blocks[cut]!.weights < 64e6);
    const found = await examineArchitecture({ file: readFileSync(path), imported, pixels, cuts });
    const app = await imageAppForTest({ teardown: (end: () => unknown) => void undo.push(end) } as never, {
      source: new EmbeddedBackbones({ folder: models }),
      env: { DEFAULT_BACKBONE: id },
    });
    const { id: dataset } = await app.upload(files);
    const served = await servedAndDownloaded(app, { dataset, backbone: id, image: images[0]! });
    const tops = Math.max(0, ...found.tops.map(({ difference }) => difference));
    const good = found.difference <= 1e-4 && served <= 1e-4 && tops <= 1e-4 && found.alive > 0.5;
    if (!good) failed += 1;
    const depths = [
      ...parts.levels.map(({ channels }) => channels),
      ...(parts.vector ? [`+${parts.vector.dimensions}`] : []),
    ];
    const columns = [
      `${id.padEnd(34)} ${good ? 'ok    ' : 'FAILED'} ${depths.join(' ').padEnd(32)}`,
      `features ${found.difference.toExponential(0)}, served ${served.toExponential(0)}, tops ${tops.toExponential(0)}`,
      `alive ${(100 * found.alive).toFixed(0)} %, ${possibleBlocks(card.top!)} of ${blocks.length} blocks${limit ? `, then ${limit}` : ''}`,
    ];
    console.log(columns.join('  '));
    if (id.endsWith('inception_v3')) {
      const version = await app.train({ dataset, model: 'recipe', backbone: id, ...RECIPE });
      console.log(`${''.padEnd(34)} the recipe: ${version.head}, ${version.top ? 'top trained' : 'frozen stayed'}`);
    }
  } finally {
    for (const end of undo.reverse()) await end();
  }
}

/** Write the files of every library that some Python has. */
function makeAll(): void {
  const script = join(PACKAGE_ROOT, 'test', 'architectures', 'make.py');
  for (const [library, modules] of Object.entries(NEEDS)) {
    const python = pythons.find((each) => spawnSync(each, ['-c', `import ${modules}`]).status === 0);
    if (python) execFileSync(python, [script, folder, library], { stdio: 'inherit' });
    else console.log(`skipped: ${library}. No Python of ${pythons.join(', ')} has ${modules}.`);
  }
}

/** Photos of cats and dogs, where they are at hand. */
function realPhotos(): Buffer[] | undefined {
  const source = join(SHARED, 'datasets', 'cats-dogs', 'train');
  if (!existsSync(source)) return undefined;
  const [first, second] = readdirSync(source).sort();
  return Array.from({ length: PHOTOS }, (_, i) => {
    const kind = join(source, i % 2 === 0 ? first! : second!);
    return readFileSync(join(kind, readdirSync(kind).sort()[Math.floor(i / 2)]!));
  });
}
