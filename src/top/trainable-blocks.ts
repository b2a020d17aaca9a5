import { AppError } from '../errors.js';
import type { ImageBackboneCard } from '../schemas/backbones.js';
import type { JobSettings } from '../schemas/jobs.js';
import type { BackboneGraph } from './backbone-graph.js';
import { findCuts, findWhole } from './find-cuts.js';
import { notTrainable } from './load-trunk.js';
import type { TopProgram } from './program.js';

export type TrainableBlocks = NonNullable<ImageBackboneCard['top']>;

/** What most data sets gain from; more blocks take longer and learn the training photos by heart. */
export const DEFAULT_BLOCKS = 2;
/** Numbers of one image behind the cut. Forth and back they must fit the engine's memory, which holds at most 2 GiB. */
const MAX_VALUES = 80_000_000;
/** Trained numbers. Beside each lie its gradient and the two averages of Adam. */
const MAX_WEIGHTS = 64_000_000;
/** The same of all layers, on the native library. */
const MAX_WHOLE_VALUES = 400_000_000;
const MAX_WHOLE_WEIGHTS = 256_000_000;
/** Blocks that a card lists. */
const MAX_BLOCKS = 100;

/** What of a backbone can be trained, for its card. */
export function describeTop(graph: BackboneGraph): TrainableBlocks {
  const { programs, limit } = findCuts(graph);
  const whole = findWhole(graph);
  const reason = (limit ?? (whole instanceof AppError ? whole : undefined))?.details.reason;
  return {
    blocks: programs.slice(0, MAX_BLOCKS).map(describePart),
    whole: whole instanceof AppError ? null : describePart(whole),
    limit: reason === undefined ? null : String(reason),
  };
}

function describePart({ cut, values, trained, weights }: TopProgram): TrainableBlocks['blocks'][number] {
  return { cut, values, weights: [...trained].reduce((sum, name) => sum + weights.get(name)!.values.length, 0) };
}

/** Whether all layers can be trained, where a worker has the native library. */
export function possibleWhole({ whole }: TrainableBlocks): boolean {
  return whole ? whole.weights <= MAX_WHOLE_WEIGHTS && whole.values <= MAX_WHOLE_VALUES : false;
}

/** How many blocks the training has memory for. */
export function possibleBlocks({ blocks }: TrainableBlocks): number {
  const tooLarge = blocks.findIndex(({ values, weights }) => values > MAX_VALUES || weights > MAX_WEIGHTS);
  return tooLarge < 0 ? blocks.length : tooLarge;
}

/** Why no more blocks can be trained; null where the network has no more. */
export function blocksLimit(top: TrainableBlocks): string | null {
  const next = top.blocks[possibleBlocks(top)];
  if (!next) return top.limit;
  const what =
    next.weights > MAX_WEIGHTS ? `its ${Math.round(next.weights / 1e6)} million weights are` : 'its maps are';
  return `Of the next block, ${what} too large for the memory of the training.`;
}

/**
 * Refuse what of a backbone cannot be trained, as far as its card tells.
 * @throws AppError `setting_conflict` that says what is possible
 */
export function refuseBlocks(
  { trainable, hyperparameters }: Pick<JobSettings, 'trainable' | 'hyperparameters'>,
  { id, top }: { id: string; top?: TrainableBlocks },
): void {
  if (trainable === 'all' && top?.whole !== undefined) refuseWhole({ id, top });
  if (trainable !== 'top' || !top) return;
  const possible = possibleBlocks(top);
  const wanted = hyperparameters?.trainable_blocks ?? 'auto';
  if (possible > 0 && (wanted === 'auto' || wanted <= possible)) return;
  const limit = blocksLimit(top);
  if (possible === 0 && limit === null) throw notTrainable(id);
  const most = possible === 1 ? 'One block' : `${possible} blocks`;
  const much = possible === 0 ? 'No block' : `At most ${most.toLowerCase()}`;
  throw new AppError(
    'setting_conflict',
    `${much} at the top of backbone '${id}' can be trained. ${limit === null ? 'It has no more.' : limit} ${possible === 0 ? 'Use trainable none, or another backbone.' : 'Lower trainable_blocks.'}`,
    { details: { backbone: id, possible } },
  );
}

function refuseWhole({ id, top }: { id: string; top: TrainableBlocks }): void {
  if (possibleWhole(top)) return;
  const possible = possibleBlocks(top);
  const sentences = [
    `Backbone '${id}' cannot be trained as a whole.`,
    top.whole ? 'It is too large for the memory of the training.' : top.limit,
    `Use ${possible > 0 ? 'trainable top' : 'trainable none'}, or another backbone.`,
  ];
  throw new AppError('setting_conflict', sentences.filter((sentence) => sentence !== null).join(' '), {
    details: { backbone: id, possible },
  });
}
