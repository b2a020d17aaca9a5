/** Numbers for each channel, on tensors whose channels lie last. */
import type { Tensor } from '@tensorflow/tfjs-core';
import type { TensorFlow } from './contract.js';

/** @param bias `[C]`, added to `x` of `[…, C]` */
export function biased<T extends Tensor>(tf: TensorFlow, x: T, bias: Tensor): T {
  return tf.add(x, tf.reshape(bias, [-1]));
}

/** @param slope `[C]`, times `x` of `[…, C]` */
export function scaled<T extends Tensor>(tf: TensorFlow, x: T, slope: Tensor): T {
  return tf.mul(x, tf.reshape(slope, [-1]));
}
