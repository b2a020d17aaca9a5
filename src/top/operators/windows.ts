/** Operators that look through a window that moves over a map: padding, and pooling. */
import type { Tensor4D } from '@tensorflow/tfjs-core';
import { floatAttribute, intAttribute, intsAttribute, textAttribute } from '../../onnx/read-node.js';
import type { GraphNode } from '../../onnx/model-proto.js';
import type { Operator, Step, TensorFlow } from './contract.js';
import { asMap, axisAt, mapValue, valueIn } from './values.js';

/** Rows above and below, columns left and right. */
export type Padding = [top: number, left: number, bottom: number, right: number];

/** A number below all that a map holds: what lies outside never is the largest. */
const LOWEST = -3e38;

/** Strides or dilations, down and across. */
export function pairOf(node: GraphNode, name: 'strides' | 'dilations'): [number, number] {
  return (intsAttribute(node, name) ?? [1, 1]) as [number, number];
}

/** What a node adds around its input, by its attributes. */
export function paddingOf(
  { node, outputs }: Pick<Step, 'node' | 'outputs'>,
  { kernel, size, dilations }: { kernel: number[]; size: number[]; dilations: number[] },
): Padding {
  const auto = textAttribute(node, 'auto_pad') ?? 'NOTSET';
  if (auto === 'NOTSET') return (intsAttribute(node, 'pads') ?? [0, 0, 0, 0]) as Padding;
  if (auto === 'VALID') return [0, 0, 0, 0];
  const strides = pairOf(node, 'strides');
  const around = size.map((length, i) => {
    const side = (kernel[i]! - 1) * dilations[i]! + 1;
    const total = Math.max(0, (outputs[0]![2 + i]! - 1) * strides[i]! + side - length);
    const less = Math.floor(total / 2);
    return auto === 'SAME_LOWER' ? [total - less, less] : [less, total - less];
  });
  return [around[0]![0]!, around[1]![0]!, around[0]![1]!, around[1]![1]!];
}

/** A map with `fill` around it. */
export function padded(tf: TensorFlow, map: Tensor4D, [top, left, bottom, right]: Padding, fill = 0): Tensor4D {
  if (top + left + bottom + right === 0) return map;
  const around = [
    [0, 0],
    [top, bottom],
    [left, right],
    [0, 0],
  ] as [number, number][];
  return tf.pad(map, around as never, fill);
}

/** Windows of a pooling node over its input. Where sizes are rounded up, the last window may reach beyond the padding. */
function windowsOf(step: Step) {
  const x = asMap(step.tf, step.needed(0));
  const size = x.shape.slice(1, 3);
  const kernel = intsAttribute(step.node, 'kernel_shape')! as [number, number];
  const strides = pairOf(step.node, 'strides');
  const padding = paddingOf(step, { kernel, size, dilations: [1, 1] });
  const out = step.outputs[0]!.slice(2);
  const beyond = [0, 1].map((i) => {
    const covered = (out[i]! - 1) * strides[i]! + kernel[i]!;
    return Math.max(0, covered - (size[i]! + padding[i]! + padding[i + 2]!));
  });
  const whole: Padding = [padding[0], padding[1], padding[2] + beyond[0]!, padding[3] + beyond[1]!];
  return { x, size, kernel, strides, padding, whole, out };
}

const noDilation: Operator['refuses'] = ({ node }) =>
  pairOf(node, 'dilations').some((dilation) => dilation !== 1) ? 'it is dilated' : undefined;

const MaxPool: Operator = {
  refuses: (described) => (described.node.output!.length > 1 ? 'it also answers places' : noDilation!(described)),
  run(step) {
    const { tf } = step;
    const { x, kernel, strides, whole, out } = windowsOf(step);
    const y = tf.maxPool(padded(tf, x, whole, LOWEST), kernel, strides, 'valid');
    return mapValue(cropped(tf, y, out));
  },
};

const AveragePool: Operator = {
  refuses: noDilation,
  run(step) {
    const { tf, node } = step;
    const { x, size, kernel, strides, padding, whole, out } = windowsOf(step);
    const y = cropped(tf, tf.avgPool(padded(tf, x, whole), kernel, strides, 'valid'), out);
    const withPadding = intAttribute(node, 'count_include_pad', 0) === 1;
    // Places of a window that count: those on the map, or on its padding, too; never those beyond.
    const counted = [0, 1].map((i) => {
      const [from, to] = withPadding
        ? [0, padding[i]! + size[i]! + padding[i + 2]!]
        : [padding[i]!, padding[i]! + size[i]!];
      return Array.from({ length: out[i]! }, (_, place) => {
        const first = place * strides[i]!;
        return Math.min(first + kernel[i]!, to) - Math.max(first, from);
      });
    });
    const all = kernel[0] * kernel[1];
    const shares = counted[0]!.flatMap((high) => counted[1]!.map((wide) => all / (high * wide)));
    if (shares.every((share) => share === 1)) return mapValue(y);
    return mapValue(tf.mul(y, tf.tensor4d(shares, [1, out[0]!, out[1]!, 1])));
  },
};

/** Windows at the end that the graph does not have. */
function cropped(tf: TensorFlow, y: Tensor4D, [height, width]: number[]): Tensor4D {
  if (y.shape[1] === height && y.shape[2] === width) return y;
  return tf.slice(y, [0, 0, 0, 0], [y.shape[0], height!, width!, y.shape[3]]);
}

/** Zeros or another number around any axes. */
const Pad: Operator = {
  refuses({ node, constant }) {
    if ((textAttribute(node, 'mode') ?? 'constant') !== 'constant') return 'it repeats the edge';
    return intsAttribute(node, 'pads') || constant(1) ? undefined : 'how much it pads is no constant';
  },
  run(step) {
    const { tf, node } = step;
    const x = step.needed(0);
    const rank = x.dims.length;
    const pads = intsAttribute(node, 'pads') ?? step.numbers(1)!;
    const fill = step.numbers(2)?.[0] ?? floatAttribute(node, 'value', 0);
    const around = new Array<[number, number]>(rank);
    for (let axis = 0; axis < rank; axis += 1) {
      around[axisAt(axis, rank, x.channelsLast)] = [pads[axis]!, pads[axis + rank]!];
    }
    return valueIn(tf.pad(x.tensor, around, fill), x.channelsLast);
  },
};

export const WINDOWS = { AveragePool, MaxPool, Pad } satisfies Record<string, Operator>;
