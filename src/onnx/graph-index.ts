import type { ImageInput, Layout } from './image-input.js';
import type { Graph, GraphNode, Tensor } from './model-proto.js';
import { namesReadBy } from './prune-graph.js';
import { axesOf, constantsOf, intAttribute, intsAttribute } from './read-node.js';

/** A graph that can be asked who makes and who reads a tensor. */
export interface GraphIndex {
  graph: Graph;
  constants: Map<string, Tensor>;
  /** The node that makes a tensor. */
  maker: Map<string, GraphNode>;
  readers: Map<string, GraphNode[]>;
  /** Dimensions of every tensor that depends on the image, from a run with a batch of its own size. */
  shapes: Map<string, number[]>;
  /** Order of the axes of the tensors that are known to be spatial maps. */
  layouts: Map<string, Layout>;
}

/** Operators whose maps are `[N, C, H, W]` by definition. */
const NCHW = new Set(
  'AveragePool BatchNormalization Conv ConvTranspose DepthToSpace GlobalAveragePool GroupNormalization InstanceNormalization LRN MaxPool SpaceToDepth'.split(
    ' ',
  ),
);

/** Index a graph whose image-dependent tensors have `shapes`. */
export function indexGraph(graph: Graph, input: ImageInput, shapes: Map<string, number[]>): GraphIndex {
  const maker = new Map<string, GraphNode>();
  const readers = new Map<string, GraphNode[]>();
  for (const node of graph.node ?? []) {
    for (const name of node.output ?? []) maker.set(name, node);
    for (const name of new Set(namesReadBy(node))) {
      const list = readers.get(name);
      if (list) list.push(node);
      else readers.set(name, [node]);
    }
  }
  const index = { graph, constants: constantsOf(graph), maker, readers, shapes, layouts: new Map<string, Layout>() };
  index.layouts.set(input.name, input.layout);
  for (const node of graph.node ?? []) {
    for (const name of node.output ?? []) {
      const layout = shapes.get(name)?.length === 4 ? layoutAfter(node, index) : undefined;
      if (layout) index.layouts.set(name, layout);
    }
  }
  return index;
}

/** The inputs of a node that depend on the image: not weights, not shapes. */
export function imageInputsOf(node: GraphNode, { shapes }: Pick<GraphIndex, 'shapes'>): string[] {
  return (node.input ?? []).filter((name) => shapes.has(name));
}

/** Channels, height and width of a map; undefined where the tensor is not known to be one. */
export function mapSize(
  name: string,
  { shapes, layouts }: Pick<GraphIndex, 'shapes' | 'layouts'>,
): { channels: number; height: number; width: number } | undefined {
  const [, a = 0, b = 0, c = 0] = shapes.get(name) ?? [];
  const layout = layouts.get(name);
  if (!layout) return undefined;
  return layout === 'nchw' ? { channels: a, height: b, width: c } : { channels: c, height: a, width: b };
}

/**
 * The map that a node averages over all of its width and height, and where its channels are; undefined for a node that
 * does something else.
 */
export function averagedBy(
  node: GraphNode,
  { constants, shapes }: Pick<GraphIndex, 'constants' | 'shapes'>,
): { name: string; layout: Layout } | undefined {
  const name = node.input?.[0] ?? '';
  const dims = shapes.get(name);
  if (dims?.length !== 4) return undefined;
  if (node.opType === 'GlobalAveragePool') return { name, layout: 'nchw' };
  if (node.opType === 'AveragePool') {
    const whole = intsAttribute(node, 'kernel_shape')?.join() === dims.slice(2).join();
    const padded = intsAttribute(node, 'pads')?.some((pad) => pad !== 0);
    return whole && !padded ? { name, layout: 'nchw' } : undefined;
  }
  if (node.opType !== 'ReduceMean') return undefined;
  const axes = axesOf(node, constants, 4)?.join();
  if (axes === '2,3') return { name, layout: 'nchw' };
  return axes === '1,2' ? { name, layout: 'nhwc' } : undefined;
}

/** Layout of what a node makes, from what it reads. Unknown where the axes are mixed (Reshape and such). */
function layoutAfter(node: GraphNode, index: GraphIndex): Layout | undefined {
  const { layouts, shapes } = index;
  if (NCHW.has(node.opType ?? '')) return 'nchw';
  const [first = ''] = imageInputsOf(node, index);
  const layout = layouts.get(first);
  if (node.opType === 'Slice' || node.opType === 'Pad' || node.opType === 'Split') return layout;
  if (node.opType === 'Transpose') {
    const perm = intsAttribute(node, 'perm')?.join();
    if (layout !== 'nhwc' && perm === '0,2,3,1') return 'nhwc';
    return layout !== 'nchw' && perm === '0,3,1,2' ? 'nchw' : undefined;
  }
  if (node.opType === 'MatMul') return layout === 'nhwc' ? layout : undefined;
  if (node.opType === 'Concat') {
    const axis = intAttribute(node, 'axis', 1);
    return (axis < 0 ? axis + 4 : axis) === (layout === 'nchw' ? 1 : 3) ? layout : undefined;
  }
  // What works value by value keeps the size, and so the order of the axes.
  const size = shapes.get(node.output?.[0] ?? '')?.join();
  const like = imageInputsOf(node, index).find((name) => shapes.get(name)?.join() === size && layouts.has(name));
  return ELEMENTWISE.has(node.opType ?? '') && like !== undefined ? layouts.get(like) : undefined;
}

const ELEMENTWISE = new Set(
  'Add Cast Celu Clip Div Dropout Elu Erf Exp Gelu HardSigmoid HardSwish Identity LayerNormalization LeakyRelu Log Max Min Mish Mul Neg PRelu Pow Relu Selu Sigmoid Softplus Softsign Sqrt Sub Sum Tanh ThresholdedRelu'.split(
    ' ',
  ),
);
