import { dense } from '../../numbers/features.js';
import type { ImageBackboneCard } from '../../schemas/backbones.js';
import type { Backbone } from '../contract.js';
import type { OpenOptions } from '../modality.js';
import { unusable } from '../unusable.js';
import { explainImage } from './maps/explain.js';
import type { ImageLimits } from './open-image.js';
import { decodeImage } from './pixels.js';
import { sessionPool } from './pool.js';
import { RECIPE } from './recipe.js';
import { type Session, startSession } from './session.js';
import { GPU_BATCH_SIZE } from './thread-messages.js';
import type { Variation } from './variations.js';

/** uint8 `[height, width, 3]`, RGB */
export type Pixels = Uint8Array;

export type ImageOpenOptions = Omit<OpenOptions, 'card'> & { card: ImageBackboneCard; limits: ImageLimits };

/** Each holds the weights once more; from here on sessions get more threads instead. */
const MAX_SESSIONS = 8;

/**
 * A processor is as fast or slower per image beyond this, and whoever waits for the batch waits longer; nobody waits for one
 * of a training.
 */
const CPU_BATCH = { predicting: 2, extracting: 4 };
const GPU_BATCH = { predicting: GPU_BATCH_SIZE, extracting: GPU_BATCH_SIZE };

/** @throws AppError `backbone_invalid` */
export async function openImageBackbone(options: ImageOpenOptions): Promise<Backbone<Pixels>> {
  const { card, file, threads, providers, onEnd, limits } = options;
  checkRecipe(card);
  const { id, sha256, input, features, maps } = card;
  // On a processor sessions of one thread each do more than one session of many threads (docs/performance.md).
  const most = Math.min(threads, MAX_SESSIONS);
  const data = { file, card: { sha256, input, features, maps }, threads: Math.floor(threads / most), providers };
  const ended = new AbortController();
  const whenOneEnds = () => {
    ended.abort();
    onEnd();
  };
  const start = () => startSession({ id, data, onEnd: whenOneEnds, signal: ended.signal });
  const first = await start();
  const others = first.provider === 'cpu' ? most - 1 : 0;
  const session = sessionPool([first, ...(await Promise.all(Array.from({ length: others }, start)))]);
  return {
    ...imagesThrough({ card, session, limits, dimensions: features.dimensions }),
    passes: 1 + others,
    explain: (pixels, head, classIndex, scale) =>
      explainImage({ card, head, classIndex, pixels, scale, maps: (image) => session.maps(image) }),
  };
}

/** What a backbone and the trunk of one have in common. */
export function imagesThrough(options: {
  card: ImageBackboneCard;
  session: Session;
  limits: ImageLimits;
  dimensions: number;
}): Omit<Backbone<Pixels>, 'passes'> {
  const { card, session, limits, dimensions } = options;
  const { provider, unavailableProviders } = session;
  return {
    card,
    recipe: `${card.recipe} ${JSON.stringify(card.resize)}`,
    batch: provider === 'cpu' ? CPU_BATCH : GPU_BATCH,
    provider,
    unavailableProviders,
    cacheable: true,
    prepare: (content, variation) => decodeImage(content, card, limits, variation as Variation | undefined),
    embed: async (prepared, onStart) =>
      dense(await session.embed(together(prepared), prepared.length, onStart), dimensions),
  };
}

/** uint8 `[count, height, width, 3]` */
function together(images: Pixels[]): Pixels {
  const [first] = images;
  if (images.length === 1) return first!;
  const size = first?.length ?? 0;
  const pixels = new Uint8Array(images.length * size);
  for (const [i, image] of images.entries()) pixels.set(image, i * size);
  return pixels;
}

/** @throws AppError `backbone_invalid` */
export function checkRecipe({ id, recipe }: ImageBackboneCard): void {
  if (recipe === RECIPE) return;
  throw unusable(
    id,
    `its images are made ready by the recipe '${recipe}', and this version of Graft knows '${RECIPE}'`,
  );
}
