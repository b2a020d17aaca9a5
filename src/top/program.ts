/**
 * top/ is the trainable top of a backbone, and all that is special about it: where a backbone can be cut, how the part behind
 * the cut is trained, stored, served and downloaded. Training, prediction and artifacts have one branch for it each. How graphs
 * are taken apart lies in onnx/, how a trunk runs in the modality's own room (backbones/trunk.ts is what it implements).
 *
 * This file: what the ONNX nodes behind a cut compute, as a list of steps on maps. A map is held as rows, one for each
 * place of each image: `[N · height · width, channels]`; a vector is a map of one place.
 */

import { AppError } from '../errors.js';
import { topNodes } from '../onnx/cut-graph.js';
import { type FloatConstant, floatConstants } from '../onnx/float-constant.js';
import type { Graph, GraphNode } from '../onnx/model-proto.js';
import { axesOf, constantsOf, intAttribute, intsAttribute } from '../onnx/read-node.js';
import type { BackboneCut } from '../schemas/backbones.js';

export interface MapSize {
  channels: number;
  height: number;
  width: number;
}

/** Zeros around a map. */
export interface Pads {
  top: number;
  left: number;
  bottom: number;
  right: number;
}

/** What a step does to its input. Weights are named as in the graph. */
export type TopOperation =
  | { kind: 'convolution'; weight: string; bias: string | undefined; stride: number; pads: Pads; kernel: number[] }
  | { kind: 'depthwise'; weight: string; bias: string | undefined; stride: number; pads: Pads; kernel: number[] }
  | { kind: 'normalization'; scale: string; bias: string; mean: string; variance: string; epsilon: number }
  | { kind: 'clip'; low: number; high: number }
  | { kind: 'add' }
  | { kind: 'concatenation' }
  | { kind: 'average'; window: number }
  | { kind: 'mean' }
  | { kind: 'same' };

export type TopStep = TopOperation & { inputs: string[]; output: string; size: MapSize };

/** A top: input as `TRUNK`, output `[N, D]`. */
export interface TopProgram {
  cut: BackboneCut;
  steps: TopStep[];
  features: string;
  /** Of every map in it. */
  sizes: Map<string, MapSize>;
  /** The weights as the backbone has them. */
  weights: Map<string, FloatConstant>;
}

/** What is known while the nodes are read, one after another. */
interface Reading {
  backbone: string;
  constant: ReturnType<typeof floatConstants>;
  constants: ReturnType<typeof constantsOf>;
  /** Of every map so far. */
  sizes: Map<string, MapSize>;
  /** Of every step so far. */
  weights: Map<string, FloatConstant>;
}

/** One node. */
interface NodeReading {
  reading: Reading;
  node: GraphNode;
  /** Of its first input. */
  size: MapSize;
  others: string[];
}

/** What a node does, to which size it brings its input, and its inputs where they are more than the first. */
interface ReadOperation {
  operation: TopOperation;
  result?: MapSize;
  inputs?: string[];
}

/**
 * Understand what lies behind a cut.
 * @throws AppError `setting_conflict` that names the operator which cannot be trained here
 */
export function readTop(
  graph: Graph,
  { cut, features, backbone }: { cut: BackboneCut; features: string; backbone: string },
): TopProgram {
  const { nodes } = topNodes(graph, { cut: cut.tensor, features });
  const sizes = new Map<string, MapSize>([[cut.tensor, cut]]);
  for (const { name, dimensions } of cut.pooled) sizes.set(name, { channels: dimensions, height: 1, width: 1 });
  const weights = new Map<string, FloatConstant>();
  const constant = floatConstants(graph);
  const reading: Reading = { backbone, constant, constants: constantsOf(graph), sizes, weights };
  const steps = nodes.map((node): TopStep => {
    const [first = '', ...others] = node.input ?? [];
    const size = sizes.get(first);
    if (!size) throw untrainable(backbone, node, 'its first input is no map');
    const { operation, result = size, inputs = [first] } = readNode({ reading, node, size, others });
    const output = node.output![0]!;
    sizes.set(output, result);
    return { ...operation, inputs, output, size: result };
  });
  return { cut, steps, features, sizes, weights };
}

function readNode(at: NodeReading): ReadOperation {
  const { node, size, reading } = at;
  switch (node.opType) {
    case 'Conv':
      return convolution(at);
    case 'BatchNormalization': {
      const [scale, bias, mean, variance] = at.others as [string, string, string, string];
      for (const name of [scale, bias, mean, variance]) weightOf(at, name);
      return { operation: { kind: 'normalization', scale, bias, mean, variance, epsilon: epsilonOf(node) } };
    }
    case 'Relu':
      return { operation: { kind: 'clip', low: 0, high: Number.POSITIVE_INFINITY } };
    case 'Clip':
      return clip(at);
    case 'Add':
    case 'Concat':
      return together(at);
    case 'AveragePool':
      return average(at);
    case 'GlobalAveragePool':
      return meanOf(size);
    case 'ReduceMean':
      if (axesOf(node, reading.constants, 4)?.join() !== '2,3') {
        throw refusal(at, 'it is a mean over other axes than the places');
      }
      return meanOf(size);
    case 'Flatten':
      if (size.height * size.width !== 1 || intAttribute(node, 'axis', 1) !== 1) {
        throw refusal(at, 'it flattens a map that was not pooled');
      }
      return { operation: { kind: 'same' } };
    case 'Identity':
    case 'Dropout':
      return { operation: { kind: 'same' } };
    default:
      throw refusal(at, 'this operator is not known to the training');
  }
}

function convolution(at: NodeReading): ReadOperation {
  const { node, size } = at;
  const [name, bias] = at.others as [string, string | undefined];
  const [outputs, inputs, ...kernel] = weightOf(at, name).dims as [number, number, number, number];
  if (bias) weightOf(at, bias);
  const strides = intsAttribute(node, 'strides') ?? [1, 1];
  const [top, left, bottom, right] = (intsAttribute(node, 'pads') ?? [0, 0, 0, 0]) as [number, number, number, number];
  const group = intAttribute(node, 'group', 1);
  const { channels, height, width } = size;
  const auto = node.attribute?.find((attribute) => attribute.name === 'auto_pad')?.s?.toString() ?? 'NOTSET';
  if (kernel.length !== 2 || strides[0] !== strides[1]) throw refusal(at, 'its strides differ');
  if (auto !== 'NOTSET' && auto !== 'VALID') throw refusal(at, `its padding is ${auto}`);
  if ((intsAttribute(node, 'dilations') ?? []).some((dilation) => dilation !== 1)) throw refusal(at, 'it is dilated');
  const depthwise = group === channels && outputs === channels && inputs === 1 && group > 1;
  if (group !== 1 && !depthwise) throw refusal(at, `it has ${group} groups`);
  const stride = strides[0]!;
  const along = (length: number, before: number, after: number, side: number) =>
    Math.floor((length + before + after - side) / stride) + 1;
  const result = {
    channels: outputs,
    height: along(height, top, bottom, kernel[0]!),
    width: along(width, left, right, kernel[1]!),
  };
  const kind = depthwise ? 'depthwise' : 'convolution';
  const pads = { top, left, bottom, right };
  return { operation: { kind, weight: name, bias: bias || undefined, stride, pads, kernel }, result };
}

function clip(at: NodeReading): ReadOperation {
  const bound = (input: string | undefined, name: string, fallback: number) => {
    const given = at.node.attribute?.find((attribute) => attribute.name === name)?.f;
    if (!input) return given ?? fallback;
    const value = at.reading.constant(input)?.values[0];
    if (value === undefined) throw refusal(at, 'its bounds are no constants');
    return value;
  };
  const low = bound(at.others[0], 'min', Number.NEGATIVE_INFINITY);
  return { operation: { kind: 'clip', low, high: bound(at.others[1], 'max', Number.POSITIVE_INFINITY) } };
}

/** A sum, or maps side by side. */
function together(at: NodeReading): ReadOperation {
  const { node, size, reading } = at;
  const inputs = node.input!;
  const parts = inputs.map((name) => reading.sizes.get(name));
  if (parts.some((part) => part?.height !== size.height || part.width !== size.width)) {
    throw refusal(at, 'its inputs are no maps of one size');
  }
  if (node.opType === 'Concat') {
    const axis = intAttribute(node, 'axis', 1);
    if (axis !== 1 && !(axis === -1 && size.height * size.width === 1)) throw refusal(at, `its axis is ${axis}`);
    const channels = parts.reduce((sum, part) => sum + part!.channels, 0);
    return { operation: { kind: 'concatenation' }, result: { ...size, channels }, inputs };
  }
  if (inputs.length !== 2 || parts.some((part) => part!.channels !== size.channels)) {
    throw refusal(at, 'its inputs are not alike');
  }
  return { operation: { kind: 'add' }, inputs };
}

function average(at: NodeReading): ReadOperation {
  const { node, size } = at;
  const kernel = intsAttribute(node, 'kernel_shape') ?? [];
  const strides = intsAttribute(node, 'strides') ?? [1, 1];
  const { channels, height, width } = size;
  const pads = (intsAttribute(node, 'pads') ?? []).some((pad) => pad !== 0);
  if (!pads && kernel[0] === height && kernel[1] === width) return meanOf(size);
  const window = kernel[0]!;
  const even = kernel[1] === window && strides.every((stride) => stride === window);
  if (pads || !even || height % window !== 0 || width % window !== 0) {
    throw refusal(at, 'its windows overlap or are cut');
  }
  return {
    operation: { kind: 'average', window },
    result: { channels, height: height / window, width: width / window },
  };
}

function meanOf(size: MapSize): ReadOperation {
  return { operation: { kind: 'mean' }, result: { ...size, height: 1, width: 1 } };
}

/** A weight of the node, kept. */
function weightOf(at: NodeReading, name: string): FloatConstant {
  const found = at.reading.constant(name);
  if (!found) throw refusal(at, 'its weights are no constants');
  at.reading.weights.set(name, found);
  return found;
}

function refusal({ reading, node }: NodeReading, reason: string): AppError {
  return untrainable(reading.backbone, node, reason);
}

/** 1e-5 where the node does not say. */
function epsilonOf(node: GraphNode): number {
  return node.attribute?.find(({ name }) => name === 'epsilon')?.f ?? 1e-5;
}

function untrainable(backbone: string, { opType, output }: GraphNode, reason: string): AppError {
  return new AppError(
    'setting_conflict',
    `The top of backbone '${backbone}' cannot be trained down to there: ${opType} '${output?.[0]}' is in the way, ${reason}. Take fewer trainable_blocks, or trainable none.`,
    { details: { backbone, operator: opType } },
  );
}
