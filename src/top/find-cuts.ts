import { AppError } from '../errors.js';
import { topNodes } from '../onnx/cut-graph.js';
import { findBlocks } from '../onnx/find-levels.js';
import { joinsTokens } from '../onnx/find-tokens.js';
import type { GraphNode } from '../onnx/model-proto.js';
import type { BackboneCut } from '../schemas/backbones.js';
import type { BackboneGraph } from './backbone-graph.js';
import { notTrainable } from './load-trunk.js';
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
 * features only through this one tensor, or this and another map, and through vectors that are features, too.
 */
export function findCuts(graph: BackboneGraph): Cuts {
  const ends = endsOf(graph).reverse();
  const found = cutsAmong(
    graph,
    ends.map((end) => () => cutOf(graph, [end])),
  );
  if (found.programs.length > 0 || found.limit) return found;
  // The cells of some networks, such as NASNet, read the two before them.
  return cutsAmong(
    graph,
    ends.map((end, i) => () => {
      for (const other of ends.slice(i + 1, i + 1 + CELLS_APART)) {
        const cut = cutOf(graph, [end, other]);
        if (cut) return cut;
      }
      return undefined;
    }),
  );
}

/** All layers of a backbone, cut at what its first convolution reads. @returns why not, where something is in the way */
export function findWhole(graph: BackboneGraph): TopProgram | AppError {
  const { model, index } = graph;
  const isLayer = ({ opType = '', input }: GraphNode) =>
    ['Conv', 'Gemm', 'MatMul'].includes(opType ?? '') && index.shapes.has(input?.[0] ?? '');
  const first = model.graph!.node!.find(isLayer)?.input?.[0];
  const cut = first === undefined ? undefined : cutOf(graph, [first]);
  if (!cut) return notTrainable(graph.id);
  try {
    return readTop(graph, cut);
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
}

/** @param candidates deepest last */
function cutsAmong(graph: BackboneGraph, candidates: (() => BackboneCut | undefined)[]): Cuts {
  const found: Cuts = { programs: [], limit: undefined };
  let layers = 0;
  for (const candidate of candidates) {
    const cut = candidate();
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

/** How many ends lie between the two that a cell reads, at most. */
const CELLS_APART = 8;

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

/** The cut at one tensor or two; undefined where more than vectors goes past. */
function cutOf({ model, features, index, dims }: BackboneGraph, tensors: string[]): BackboneCut | undefined {
  const { reads } = topNodes(model.graph!, { cut: tensors, features });
  const past = reads.filter((name) => index.shapes.has(name));
  const [first, ...beside] = [...tensors, ...past].map((name) => {
    const [count, ...own] = dims.get(name) ?? [];
    const ofEachImage = typeof count === 'object' && count.each === 1 && own.every((d) => typeof d === 'number');
    return ofEachImage ? { tensor: name, dims: own as number[] } : { tensor: name, dims: [] };
  });
  const vectors = beside.slice(tensors.length - 1);
  const possible = [first!, ...beside].every((each) => each.dims.length > 0);
  return possible && vectors.every((each) => each.dims.length === 1) ? { ...first!, beside } : undefined;
}
