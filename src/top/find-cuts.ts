import { AppError } from '../errors.js';
import { topNodes } from '../onnx/cut-graph.js';
import { findBlocks, type Level, mapAt } from '../onnx/find-levels.js';
import { type GraphIndex, indexGraph } from '../onnx/graph-index.js';
import { decodeModel, type Graph } from '../onnx/model-proto.js';
import { probeShapes } from '../onnx/probe-shapes.js';
import type { BackboneCut, ImageBackboneCard } from '../schemas/backbones.js';
import { readTop } from './program.js';

/** Where a backbone may be cut, and why not deeper. */
export interface Cuts {
  /** The first leaves one block behind it, the next two, … */
  cuts: BackboneCut[];
  /** Why the next deeper one is not possible; undefined where the network has no more blocks. */
  limit: AppError | undefined;
}

/**
 * The ends of blocks at which a backbone can be cut so that what lies behind can be trained: the image reaches the
 * features only through this one map, and through the means of maps below it. Runs the backbone once.
 */
export async function findCuts(bytes: Uint8Array, card: ImageBackboneCard): Promise<Cuts> {
  const model = decodeModel(bytes);
  const { name, width, height } = card.input;
  const input = { name, layout: 'nhwc' as const, width, height, batch: undefined };
  const stage = `The backbone '${card.id}' does not run`;
  const shapes = await probeShapes(model, { input, batch: 2, stage, pixels: true });
  const index = indexGraph(model.graph!, input, shapes);
  const features = card.features.name;
  const found: Cuts = { cuts: [], limit: undefined };
  const largest = Math.max(height, width) / 2;
  const { blocks, layers } = findBlocks(index, { top: features, largest });
  // Blocks first; where a network has none, as VGG, its layers. The top layers behind the last block are one more.
  const ends = blocks.length > 0 ? blocks : layers;
  let weights = 0;
  for (const end of [...ends].reverse()) {
    const cut = cutAt(index, end, features);
    if (!cut) continue;
    try {
      const { steps } = readTop(model.graph!, { cut, features, backbone: card.id });
      const kernels = steps.filter(({ kind }) => kind === 'convolution').length;
      if (kernels > weights) found.cuts.push(cut);
      weights = Math.max(weights, kernels);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      found.limit = error;
      break;
    }
  }
  return found;
}

/** The cut at a map; undefined where something else than means of maps goes past it. */
function cutAt(index: GraphIndex, end: Level, features: string): BackboneCut | undefined {
  const { name: tensor, channels, height, width, layout } = end;
  const { reads } = topNodes(index.graph as Graph, { cut: tensor, features });
  const past = reads.filter((name) => index.shapes.has(name));
  const pooled = past.map((name) => ({ name, dims: index.shapes.get(name)! }));
  if (layout !== 'nchw' || pooled.some(({ dims }) => dims.length !== 2)) return undefined;
  if (mapAt(tensor, index) === undefined) return undefined;
  return {
    tensor,
    channels,
    height,
    width,
    pooled: pooled.map(({ name, dims }) => ({ name, dimensions: dims[1]! })),
  };
}
