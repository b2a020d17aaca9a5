import { Value } from '@sinclair/typebox/value';
import type { Backbones } from '../backbones/backbones.js';
import type { Trunk } from '../backbones/trunk.js';
import { AppError } from '../errors.js';
import { trunkDimensions } from '../onnx/cut-graph.js';
import { ImageBackboneCard } from '../schemas/backbones.js';
import type { JobSettings } from '../schemas/jobs.js';
import { openGraph } from './backbone-graph.js';
import { findCuts } from './find-cuts.js';
import { loadTrunk, notTrainable } from './load-trunk.js';
import type { TopProgram } from './program.js';

/** A backbone cut where its training begins. */
export interface TrainableTop {
  program: TopProgram;
  trunk: Trunk;
  blocks: number;
}

/** What most data sets gain from; more blocks take longer and learn the training photos by heart. */
const DEFAULT_BLOCKS = 2;
/** Values in the maps of one image behind the cut: those of a batch of 32, forth and back, must fit the engine's memory. */
const MAX_VALUES = 2_500_000;
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
  const { programs, limit } = findCuts(await openGraph(bytes, card));
  const tooLarge = programs.findIndex(({ values }) => values > MAX_VALUES);
  const possible = tooLarge < 0 ? programs.length : tooLarge;
  const wanted = settings.hyperparameters?.trainable_blocks ?? 'auto';
  const blocks = wanted === 'auto' ? Math.min(DEFAULT_BLOCKS, possible) : wanted;
  const conflict = (message: string) => new AppError('setting_conflict', message, { details: { possible } });
  if (blocks > possible || blocks === 0) {
    if (tooLarge < 0 && limit) throw limit;
    const reason = tooLarge < 0 ? '' : ': below that, its maps are too large for the memory of the training';
    throw conflict(
      `At most ${possible} blocks at the top of backbone '${card.id}' can be trained${reason}. Lower trainable_blocks.`,
    );
  }
  const program = programs[blocks - 1]!;
  const total = rows * trunkDimensions(program.cut) * 4;
  if (total > MAX_BYTES) {
    throw conflict(
      `What ${rows} images are at the cut takes ${Math.ceil(total / 2 ** 30)} GiB, and at most ${MAX_BYTES / 2 ** 30} are kept. Use trainable none, fewer images or fewer copies.`,
    );
  }
  const weights = new Map([...program.weights].map(([name, { dims }]) => [name, dims]));
  return { program, blocks, trunk: await loadTrunk(backbones, card, { cut: program.cut, weights }) };
}
