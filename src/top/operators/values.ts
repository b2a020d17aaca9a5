/** Tensors between two orders of axes: as ONNX counts them, and with channels last, as the engine computes maps. */
import type { Tensor, Tensor4D } from '@tensorflow/tfjs-core';
import type { TensorFlow, Value } from './contract.js';

/** Where the axes of `[N, C, h, w]` lie in `[N, h, w, C]`. */
const LAST = [0, 3, 1, 2] as const;

/** As its dims say. */
export function plain(tf: TensorFlow, { tensor, dims, channelsLast }: Value): Tensor {
  if (!channelsLast) return tensor;
  if (dims[2]! * dims[3]! === 1 || dims[1] === 1) return tf.reshape(tensor, dims);
  return tf.transpose(tensor, [0, 3, 1, 2]);
}

/** A map with its channels last, `[N, h, w, C]`. */
export function asMap(tf: TensorFlow, { tensor, dims, channelsLast }: Value): Tensor4D {
  if (channelsLast) return tensor as Tensor4D;
  const [N = 1, C = 1, h = 1, w = 1] = dims;
  if (h * w === 1 || C === 1) return tf.reshape(tensor, [N, h, w, C]);
  return tf.transpose(tensor as Tensor4D, [0, 2, 3, 1]);
}

/** A map that the engine made, `[N, h, w, C]`. */
export function mapValue(tensor: Tensor): Value {
  const [N, h, w, C] = tensor.shape as [number, number, number, number];
  return { tensor, dims: [N, C, h, w], channelsLast: true };
}

export function plainValue(tensor: Tensor): Value {
  return { tensor, dims: tensor.shape, channelsLast: false };
}

/** Values of one order of axes, so that they can be computed with one another: maps as soon as one of them is a map. */
export function alike(tf: TensorFlow, values: Value[]): { tensors: Tensor[]; channelsLast: boolean } {
  const channelsLast = values.some((value) => value.channelsLast);
  if (!channelsLast) return { tensors: values.map(({ tensor }) => tensor), channelsLast };
  const tensors = values.map((value) => {
    if (value.dims.length === 0) return value.tensor;
    const dims = [...new Array<number>(4 - value.dims.length).fill(1), ...value.dims];
    return asMap(tf, { ...value, dims, tensor: value.channelsLast ? value.tensor : tf.reshape(value.tensor, dims) });
  });
  return { tensors, channelsLast };
}

/** Where an axis, counted as ONNX does, lies in the numbers of a value of `rank` axes. */
export function axisAt(axis: number, rank: number, channelsLast: boolean): number {
  const from = axis < 0 ? axis + rank : axis;
  return channelsLast ? LAST[from]! : from;
}

/** The value that a tensor is, computed of values of this order. */
export function valueIn(tensor: Tensor, channelsLast: boolean): Value {
  return channelsLast ? mapValue(tensor) : plainValue(tensor);
}
