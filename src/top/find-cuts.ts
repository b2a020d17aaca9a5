import { AppError } from '../errors.js';
import { topNodes } from '../onnx/cut-graph.js';
import { findBlocks } from '../onnx/find-levels.js';
import { imageInputsOf } from '../onnx/graph-index.js';
import type { GraphNode } from '../onnx/model-proto.js';
import type { BackboneCut } from '../schemas/backbones.js';
import type { BackboneGraph } from './backbone-graph.js';
import { readTop, type TopProgram } from './program.js';

/** Where a backbone may be cut, and why not deeper. */
export interface Cuts {
  /** What lies behind the cuts: behind the first one block, behind the next two, … */
  programs: TopProgram[];
  /** Why the next deeper one is not possible; undefined where the network has no more blocks. */
  limit: AppError | undefined;
}

/**
 * The ends of blocks at which a backbone can be cut so that what lies behind can be trained: the image reaches the
 * features only through this one tensor, and through vectors that are features, too.
 */
export function findCuts(graph: BackboneGraph): Cuts {
  const found: Cuts = { programs: [], limit: undefined };
  let layers = 0;
  for (const end of endsOf(graph).reverse()) {
    const cut = cutAt(graph, end);
    if (!cut) continue;
    try {
      const program = readTop(graph, cut);
      const more = layersOf(program);
      if (more > layers) found.programs.push(program);
      layers = Math.max(layers, more);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      found.limit = error;
      break;
    }
  }
  return found;
}

/** Layers that bring channels together: a depthwise convolution alone is no block. */
function layersOf({ trained, weights }: TopProgram): number {
  return [...trained].filter((name) =>
    weights
      .get(name)!
      .dims.slice(0, 2)
      .every((d) => d > 1),
  ).length;
}

/** Where a cut is looked for, in the order of the graph. */
function endsOf({ index, features }: BackboneGraph): string[] {
  const [, height = 0, width = 0] = index.shapes.get(index.graph.input?.[0]?.name ?? '') ?? [];
  const { blocks, layers } = findBlocks(index, { top: features, largest: Math.max(height, width) / 2 });
  // Blocks first; where a network has none, as VGG, its layers. The top layers behind the last block are one more.
  const maps = (blocks.length > 0 ? blocks : layers).map(({ name }) => name);
  const nodes = index.graph.node ?? [];
  const dense = nodes.filter((node) => isDense(node, index)).map(({ input }) => input![0]!);
  const tokens = nodes.filter((node) => joinsTokens(node, index)).map(({ output }) => output![0]!);
  const order = new Map(nodes.flatMap(({ output }, i) => (output ?? []).map((name) => [name, i] as const)));
  return [...new Set([...maps, ...tokens, ...dense])].sort((a, b) => (order.get(a) ?? -1) - (order.get(b) ?? -1));
}

/** Whether a node is a dense layer on vectors. */
function isDense(node: GraphNode, index: BackboneGraph['index']): boolean {
  const [x = ''] = node.input ?? [];
  return ['Gemm', 'MatMul'].includes(node.opType ?? '') && index.shapes.get(x)?.length === 2;
}

/** Whether a node adds what a layer makes of tokens to the tokens: there a block of a transformer ends. */
function joinsTokens(node: GraphNode, index: BackboneGraph['index']): boolean {
  const inputs = imageInputsOf(node, index).map((name) => index.shapes.get(name)!);
  return node.opType === 'Add' && inputs.length === 2 && inputs[0]!.length === 3 && `${inputs[0]}` === `${inputs[1]}`;
}

/** The cut at a tensor; undefined where something else than vectors goes past it. */
function cutAt({ model, features, index, dims }: BackboneGraph, tensor: string): BackboneCut | undefined {
  const { reads } = topNodes(model.graph!, { cut: tensor, features });
  const pooled = reads
    .filter((name) => index.shapes.has(name))
    .map((name) => ({ name, own: dims.get(name)!.slice(1) as number[], rank: dims.get(name)!.length }));
  const [count, ...own] = dims.get(tensor) ?? [];
  const ofEachImage = typeof count === 'object' && count.each === 1 && own.every((d) => typeof d === 'number');
  if (!ofEachImage || pooled.some(({ rank }) => rank !== 2)) return undefined;
  return {
    tensor,
    dims: own as number[],
    pooled: pooled.map(({ name, own: [dimensions] }) => ({ name, dimensions: dimensions! })),
  };
}
