import { Value } from '@sinclair/typebox/value';
import type { Backbones } from '../backbones/backbones.js';
import type { Trunk } from '../backbones/trunk.js';
import { AppError } from '../errors.js';
import { trunkDimensions } from '../onnx/cut-graph.js';
import { ImageBackboneCard } from '../schemas/backbones.js';
import type { JobSettings } from '../schemas/jobs.js';
import { openGraph } from './backbone-graph.js';
import { loadTrunk, notTrainable } from './load-trunk.js';
import { readTop, type TopProgram } from './program.js';
import { DEFAULT_BLOCKS, describeTop, possibleBlocks, refuseBlocks } from './trainable-blocks.js';

/** A backbone cut where its training begins. */
export interface TrainableTop {
  program: TopProgram;
  trunk: Trunk;
  blocks: number;
}

/** What reaches the cut, of all images, on disk. */
const MAX_BYTES = 16 * 2 ** 30;

/**
 * Cut the backbone of a job below the blocks that it trains.
 * @param rows images and varied copies
 * @throws AppError `setting_conflict` that says what is possible
 */
export async function cutBackbone(
  settings: JobSettings & { backbone: string },
  { backbones, rows }: { backbones: Backbones; rows: number },
): Promise<TrainableTop> {
  const card = await backbones.card(settings.backbone);
  if (!Value.Check(ImageBackboneCard, card)) throw notTrainable(card.id); // only such networks have blocks of maps
  const bytes = await backbones.bytes(card);
  const graph = await openGraph(bytes, card);
  const all = settings.trainable === 'all';
  // A card of an earlier release says nothing of the whole.
  const described = card.top && !(all && card.top.whole === undefined) ? card.top : describeTop(graph);
  refuseBlocks(settings, { ...card, top: described });
  const possible = possibleBlocks(described);
  const wanted = settings.hyperparameters?.trainable_blocks ?? 'auto';
  const some = wanted === 'auto' ? Math.min(DEFAULT_BLOCKS, possible) : wanted;
  const blocks = all ? described.blocks.length : some;
  const program = readTop(graph, (all ? described.whole! : described.blocks[blocks - 1]!).cut);
  const total = rows * trunkDimensions(program.cut) * 4;
  if (total > MAX_BYTES) {
    throw new AppError(
      'setting_conflict',
      `What ${rows} images are at the cut takes ${Math.ceil(total / 2 ** 30)} GiB, and at most ${MAX_BYTES / 2 ** 30} are kept. Use trainable none, fewer images or fewer copies.`,
    );
  }
  const weights = new Map([...program.weights].map(([name, { dims }]) => [name, dims]));
  return { program, blocks, trunk: await loadTrunk(backbones, card, { cut: program.cut, weights }) };
}
