import { TRUNK, trunkDimensions } from '../../onnx/cut-graph.js';
import type { ImageBackboneCard } from '../../schemas/backbones.js';
import type { Cutting, Trunk } from '../trunk.js';
import { checkRecipe, type ImageOpenOptions, imagesThrough, type Pixels } from './image-backbone.js';
import { withoutMap } from './maps/explain.js';
import { startSession } from './session.js';

/**
 * A backbone of images cut in two: the session of the trunk and that of the top, in one thread.
 * @throws AppError `backbone_invalid`
 */
export async function openImageTrunk(
  options: ImageOpenOptions & { key: string; cutting: Cutting },
): Promise<Trunk<Pixels>> {
  const { card, file, threads, providers, onEnd, limits, key, cutting } = options;
  checkRecipe(card);
  const { id, sha256, input, features } = card;
  const output = { name: TRUNK, dimensions: trunkDimensions(cutting.cut) };
  const data = { file, card: { sha256, input, features: output, maps: [] }, threads, providers };
  const session = await startSession({ id, data: { ...data, top: { ...cutting, features } }, onEnd });
  const cutCard: ImageBackboneCard = { ...card, sha256: key, features: output, maps: [] };
  return {
    ...imagesThrough({ card: cutCard, session, limits, dimensions: output.dimensions }),
    passes: 1,
    explain: async () =>
      withoutMap(
        'Layers of the backbone were trained for this model, and maps come from the shared backbone only; train with trainable none.',
      ),
    runTop: (top, rows, count) => session.runTop(top, rows, count),
    forget: (weights) => session.forget(weights),
  };
}
