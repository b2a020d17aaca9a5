import { type FloatConstant, floatConstants } from '../onnx/float-constant.js';
import { type GraphIndex, indexGraph } from '../onnx/graph-index.js';
import type { ImageInput } from '../onnx/image-input.js';
import { decodeModel, type GraphNode, type Model } from '../onnx/model-proto.js';
import { probeShapes, probeValues } from '../onnx/probe-shapes.js';
import { namesReadBy } from '../onnx/prune-graph.js';
import { dimsOf, int64sOf } from '../onnx/read-node.js';
import type { ImageBackboneCard } from '../schemas/backbones.js';

/** A dimension of a tensor: a number, or so many for each image. */
export type Dimension = number | { each: number };

/** A constant; `each`: it is repeated along its first axis, once for each image. */
export type Constant = FloatConstant & { each?: boolean };

/** The graph of a backbone, and what can be known of its tensors. */
export interface BackboneGraph {
  id: string;
  model: Model;
  /** Name of the output that the top ends in. */
  features: string;
  index: GraphIndex;
  /** Of every tensor that depends on the image. */
  dims: Map<string, Dimension[]>;
  /** A tensor of decimal numbers that is the same for every image. */
  floats: (name: string) => Constant | undefined;
  /** Numbers of a small tensor that is the same for every image, whole or not. */
  numbers: (name: string) => number[] | undefined;
  /** Dimensions of a tensor that is the same for every image. */
  constantDims: (name: string) => number[] | undefined;
}

/** The graph of a backbone that is installed. @throws AppError `backbone_invalid` */
export function openGraph(bytes: Uint8Array, card: ImageBackboneCard): Promise<BackboneGraph> {
  const { name, width, height } = card.input;
  const input: ImageInput = { name, layout: 'nhwc', width, height, batch: undefined };
  return inspectGraph(decodeModel(bytes), { id: card.id, features: card.features.name, input, pixels: true });
}

/**
 * Runs the network on blank images, one and two: what differs between the runs depends on their number.
 * @param options pixels: the input is uint8, as a backbone's, not float32
 * @throws AppError `backbone_invalid`
 */
export async function inspectGraph(
  model: Model,
  { id, features, input, pixels }: { id: string; features: string; input: ImageInput; pixels: boolean },
): Promise<BackboneGraph> {
  const graph = model.graph!;
  const stage = `The backbone '${id}' does not run`;
  const [one, two] = await Promise.all([1, 2].map((batch) => probeShapes(model, { input, batch, stage, pixels })));
  const index = indexGraph(graph, input, two!);
  const dims = new Map([...two!].map(([tensor, shape]) => [tensor, dimensionsOf(one!.get(tensor)!, shape)]));
  const direct = remembered(floatConstants(graph));
  const computed = await computedConstants(model, { index, direct, input, stage, pixels });
  const floats = remembered((tensor): Constant | undefined => {
    const known = direct(tensor);
    if (known) return known;
    const { type, dims: own, data, each } = computed.get(tensor) ?? {};
    if (type !== 'float32') return undefined;
    return { dims: [...own!], values: Float32Array.from(data!, Number), ...(each && { each }) };
  });
  return {
    id,
    model,
    features,
    index,
    dims,
    floats,
    numbers: (tensor) =>
      int64sOf(index.constants.get(tensor)) ??
      (floats(tensor)?.values && Array.from(floats(tensor)!.values)) ??
      (computed.has(tensor) ? Array.from(computed.get(tensor)!.data, Number) : undefined),
    constantDims: (tensor) => {
      const constant = index.constants.get(tensor);
      return constant ? dimsOf(constant) : (direct(tensor)?.dims ?? computed.get(tensor)?.dims.slice());
    },
  };
}

/** The same answer each time: tops share what they have in common, and weights are large. */
function remembered<T>(read: (name: string) => T): (name: string) => T {
  const known = new Map<string, T>();
  return (name) => {
    if (!known.has(name)) known.set(name, read(name));
    return known.get(name)!;
  };
}

/** Dimensions in a pass of `count` images. */
export function dimsFor(dims: readonly Dimension[], count: number): number[] {
  return dims.map((d) => (typeof d === 'number' ? d : d.each * count));
}

/** From those with one image and with two. */
function dimensionsOf(one: number[], two: number[]): Dimension[] {
  return one.map((d, i) => (two[i] === d ? d : { each: d }));
}

/** What nodes read that depends on no pixel, and is no constant as it stands: it is computed once. */
async function computedConstants(
  model: Model,
  options: {
    index: GraphIndex;
    direct: (name: string) => FloatConstant | undefined;
    input: ImageInput;
    stage: string;
    pixels: boolean;
  },
) {
  const { index, direct, ...how } = options;
  const names = new Set<string>();
  const dependsOnImage = ({ output }: GraphNode) => output?.some((name) => index.shapes.has(name));
  for (const node of model.graph!.node ?? []) {
    if (!dependsOnImage(node)) continue;
    for (const name of namesReadBy(node)) {
      if (index.shapes.has(name) || index.constants.has(name) || direct(name)) continue;
      names.add(name);
    }
  }
  if (names.size === 0) return new Map<string, never>();
  const [one, two] = await Promise.all([1, 2].map((batch) => probeValues(model, { ...how, batch, names: [...names] })));
  // One that is repeated for each image, such as a class token, is kept once.
  return new Map(
    [...one!].map(([name, { type, dims, data }]) => {
      const each = dims[0] !== two!.get(name)!.dims[0];
      return [name, { type, dims, data, each }];
    }),
  );
}
