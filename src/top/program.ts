/**
 * top/ is the part of a backbone behind a cut as something that can be trained.
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

/**
 * Understand what lies behind a cut.
 * @throws AppError `setting_conflict` that names the operator which cannot be trained here
 */
export function readTop(
  graph: Graph,
  { cut, features, backbone }: { cut: BackboneCut; features: string; backbone: string },
): TopProgram {
  const { nodes } = topNodes(graph, { cut: cut.tensor, features });
  const constant = floatConstants(graph);
  const constants = constantsOf(graph);
  const sizes = new Map<string, MapSize>([[cut.tensor, cut]]);
  for (const { name, dimensions } of cut.pooled) sizes.set(name, { channels: dimensions, height: 1, width: 1 });
  const weights = new Map<string, FloatConstant>();
  const weight = (node: GraphNode, name: string) => {
    const found = constant(name);
    if (!found) throw untrainable(backbone, node, 'its weights are no constants');
    weights.set(name, found);
    return found;
  };
  const steps = nodes.map((node): TopStep => {
    const [first = '', ...others] = node.input ?? [];
    const output = node.output![0]!;
    const size = sizes.get(first);
    if (!size) throw untrainable(backbone, node, 'its first input is no map');
    const refuse = (reason: string) => untrainable(backbone, node, reason);
    const step = (operation: TopOperation, result: MapSize = size, inputs = [first]): TopStep => {
      sizes.set(output, result);
      return { ...operation, inputs, output, size: result };
    };
    switch (node.opType) {
      case 'Conv':
        return convolution();
      case 'BatchNormalization': {
        const [scale, bias, mean, variance] = others as [string, string, string, string];
        for (const name of [scale, bias, mean, variance]) weight(node, name);
        return step({ kind: 'normalization', scale, bias, mean, variance, epsilon: epsilonOf(node) });
      }
      case 'Relu':
        return step({ kind: 'clip', low: 0, high: Number.POSITIVE_INFINITY });
      case 'Clip': {
        const bound = (input: string | undefined, name: string, fallback: number) => {
          const given = node.attribute?.find((attribute) => attribute.name === name)?.f;
          if (!input) return given ?? fallback;
          const value = constant(input)?.values[0];
          if (value === undefined) throw refuse('its bounds are no constants');
          return value;
        };
        const low = bound(others[0], 'min', Number.NEGATIVE_INFINITY);
        return step({ kind: 'clip', low, high: bound(others[1], 'max', Number.POSITIVE_INFINITY) });
      }
      case 'Add':
      case 'Concat': {
        const inputs = node.input!;
        const parts = inputs.map((name) => sizes.get(name));
        if (parts.some((part) => part?.height !== size.height || part.width !== size.width)) {
          throw refuse('its inputs are no maps of one size');
        }
        if (node.opType === 'Concat') {
          const axis = intAttribute(node, 'axis', 1);
          if (axis !== 1 && !(axis === -1 && size.height * size.width === 1)) throw refuse(`its axis is ${axis}`);
          const channels = parts.reduce((sum, part) => sum + part!.channels, 0);
          return step({ kind: 'concatenation' }, { ...size, channels }, inputs);
        }
        if (inputs.length !== 2 || parts.some((part) => part!.channels !== size.channels)) {
          throw refuse('its inputs are not alike');
        }
        return step({ kind: 'add' }, size, inputs);
      }
      case 'AveragePool':
        return average();
      case 'GlobalAveragePool':
        return step({ kind: 'mean' }, { ...size, height: 1, width: 1 });
      case 'ReduceMean':
        if (axesOf(node, constants, 4)?.join() !== '2,3') throw refuse('it is a mean over other axes than the places');
        return step({ kind: 'mean' }, { ...size, height: 1, width: 1 });
      case 'Flatten':
        if (size.height * size.width !== 1 || intAttribute(node, 'axis', 1) !== 1) {
          throw refuse('it flattens a map that was not pooled');
        }
        return step({ kind: 'same' });
      case 'Identity':
      case 'Dropout':
        return step({ kind: 'same' });
      default:
        throw refuse('this operator is not known to the training');
    }

    function convolution(): TopStep {
      const [name, bias] = others as [string, string | undefined];
      const [outputs, inputs, ...kernel] = weight(node, name).dims as [number, number, number, number];
      if (bias) weight(node, bias);
      const strides = intsAttribute(node, 'strides') ?? [1, 1];
      const [top, left, bottom, right] = (intsAttribute(node, 'pads') ?? [0, 0, 0, 0]) as [
        number,
        number,
        number,
        number,
      ];
      const group = intAttribute(node, 'group', 1);
      const { channels, height, width } = size!;
      const auto = node.attribute?.find((attribute) => attribute.name === 'auto_pad')?.s?.toString() ?? 'NOTSET';
      if (kernel.length !== 2 || strides[0] !== strides[1]) throw refuse('its strides differ');
      if (auto !== 'NOTSET' && auto !== 'VALID') throw refuse(`its padding is ${auto}`);
      if ((intsAttribute(node, 'dilations') ?? []).some((dilation) => dilation !== 1)) throw refuse('it is dilated');
      const depthwise = group === channels && outputs === channels && inputs === 1 && group > 1;
      if (group !== 1 && !depthwise) throw refuse(`it has ${group} groups`);
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
      return step({ kind, weight: name, bias: bias || undefined, stride, pads, kernel }, result);
    }

    function average(): TopStep {
      const kernel = intsAttribute(node, 'kernel_shape') ?? [];
      const strides = intsAttribute(node, 'strides') ?? [1, 1];
      const { channels, height, width } = size!;
      const pads = (intsAttribute(node, 'pads') ?? []).some((pad) => pad !== 0);
      if (!pads && kernel[0] === height && kernel[1] === width) {
        return step({ kind: 'mean' }, { channels, height: 1, width: 1 });
      }
      const window = kernel[0]!;
      const even = kernel[1] === window && strides.every((stride) => stride === window);
      if (pads || !even || height % window !== 0 || width % window !== 0)
        throw refuse('its windows overlap or are cut');
      return step({ kind: 'average', window }, { channels, height: height / window, width: width / window });
    }
  });
  return { cut, steps, features, sizes, weights };
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
