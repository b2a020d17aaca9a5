/** Operators with weights: convolutions, dense layers, normalisations. */
import type { Tensor, Tensor4D } from '@tensorflow/tfjs-core';
import { floatAttribute, intAttribute } from '../../onnx/read-node.js';
import type { Described, Operator, TensorFlow } from './contract.js';
import { biased, scaled } from './rows.js';
import { alike, asMap, mapValue, plain, plainValue, valueIn } from './values.js';
import { padded, paddingOf, pairOf } from './windows.js';

/** Places of these inputs that are constants. */
const constantsAmong = (places: number[]) => (described: Described) =>
  places.filter((place) => described.constant(place) !== undefined);

const Conv: Operator = {
  trained: constantsAmong([1, 2]),
  refuses({ constant, dims }) {
    if (!constant(1)) return 'its weights are no constants';
    return dims(0)?.length === 4 ? undefined : 'it is no convolution of pictures';
  },
  run(step) {
    const { tf, node } = step;
    const x = asMap(tf, step.needed(0));
    const kernel = step.kernel(1);
    const [high, wide, inputs, outputs] = kernel.shape;
    const group = intAttribute(node, 'group', 1);
    const strides = pairOf(node, 'strides');
    const dilations = pairOf(node, 'dilations');
    const from = padded(tf, x, paddingOf(step, { kernel: [high, wide], size: x.shape.slice(1, 3), dilations }));
    let y: Tensor4D;
    if (group === 1 && [high, wide, ...strides].every((side) => side === 1)) {
      const rows = tf.matMul(rowsOf(tf, from), tf.reshape(kernel, [inputs, outputs]));
      y = tf.reshape(rows, [from.shape[0], from.shape[1], from.shape[2], outputs]);
    } else if (group === 1) {
      y = tf.conv2d(from, kernel, strides, 'valid', 'NHWC', dilations);
    } else if (group === x.shape[3]) {
      const each = tf.reshape(kernel, [high, wide, group, outputs / group]) as Tensor4D;
      y = tf.depthwiseConv2d(from, each, strides, 'valid', 'NHWC', dilations);
    } else {
      const parts = tf.split(from, group, 3) as Tensor4D[];
      const kernels = tf.split(kernel, group, 3) as Tensor4D[];
      const made = parts.map((part, i) => tf.conv2d(part, kernels[i]!, strides, 'valid', 'NHWC', dilations));
      y = tf.concat(made, 3);
    }
    const bias = step.input(2);
    return mapValue(bias ? biased(tf, y, bias.tensor) : y);
  },
};

const Gemm: Operator = {
  trained: constantsAmong([1, 2]),
  refuses({ node }) {
    if (intAttribute(node, 'transA', 0) !== 0) return 'its input is transposed';
    return undefined;
  },
  run(step) {
    const { tf, node } = step;
    const alpha = floatAttribute(node, 'alpha', 1);
    const beta = floatAttribute(node, 'beta', 1);
    const w = plain(tf, step.needed(1));
    const product = tf.matMul(plain(tf, step.needed(0)), intAttribute(node, 'transB', 0) ? tf.transpose(w) : w);
    const bias = step.input(2);
    const y = alpha === 1 ? product : tf.mul(product, alpha);
    if (!bias || beta === 0) return plainValue(y);
    return plainValue(biased(tf, y, beta === 1 ? bias.tensor : tf.mul(bias.tensor, beta)));
  },
};

const MatMul: Operator = {
  trained: constantsAmong([0, 1]),
  run(step) {
    const { tf } = step;
    const [a, b] = [plain(tf, step.needed(0)), plain(tf, step.needed(1))];
    const out = step.outputs[0]!;
    // A dense layer at every place is one product of rows.
    if (b.rank === 2 && a.rank !== 2) {
      const rows = tf.matMul(tf.reshape(a, [-1, b.shape[0]!]), b);
      return plainValue(tf.reshape(rows, out));
    }
    return plainValue(tf.matMul(a, b));
  },
};

const BatchNormalization: Operator = {
  trained: () => [1, 2],
  kept: [3, 4],
  refuses: ({ constant }) =>
    [1, 2, 3, 4].every((place) => constant(place)) ? undefined : 'its weights are no constants',
  run(step) {
    const { tf, node } = step;
    const [scale, bias, mean, variance] = [1, 2, 3, 4].map((place) => step.needed(place).tensor) as [
      Tensor,
      Tensor,
      Tensor,
      Tensor,
    ];
    const slope = tf.mul(scale, tf.rsqrt(tf.add(variance, floatAttribute(node, 'epsilon', 1e-5))));
    const x = step.needed(0);
    const values = x.dims.length === 4 ? asMap(tf, x) : x.tensor;
    const y = biased(tf, scaled(tf, values, slope), tf.sub(bias, tf.mul(mean, slope)));
    return x.dims.length === 4 ? mapValue(y) : plainValue(y);
  },
};

/** Over the axes from `axis` on; those of a map that are not its channels alone are put in ONNX's order first. */
const LayerNormalization: Operator = {
  trained: constantsAmong([1, 2]),
  run(step) {
    const { tf, node } = step;
    const x = plain(tf, step.needed(0));
    const first = intAttribute(node, 'axis', -1);
    const axes = Array.from({ length: x.rank }, (_, i) => i).slice(first);
    const mean = tf.mean(x, axes, true);
    const centred = tf.sub(x, mean);
    const variance = tf.mean(tf.square(centred), axes, true);
    const even = tf.mul(centred, tf.rsqrt(tf.add(variance, floatAttribute(node, 'epsilon', 1e-5))));
    const [scale, bias] = [step.needed(1).tensor, step.input(2)?.tensor];
    const y = scaled(tf, even, scale);
    return plainValue(bias ? biased(tf, y, bias) : y);
  },
};

/** Across neighbouring channels, as AlexNet and the first Inception do (Krizhevsky et al., 2012). */
const LRN: Operator = {
  refuses: ({ node }) => (intAttribute(node, 'size', 5) % 2 === 1 ? undefined : 'its window is even'),
  run({ tf, node, needed }) {
    const size = intAttribute(node, 'size', 5);
    const alpha = floatAttribute(node, 'alpha', 1e-4) / size;
    const [bias, beta] = [floatAttribute(node, 'bias', 1), floatAttribute(node, 'beta', 0.75)];
    return mapValue(tf.localResponseNormalization(asMap(tf, needed(0)), (size - 1) / 2, bias, alpha, beta));
  },
};

/** One slope for negative numbers a channel. */
const PRelu: Operator = {
  trained: constantsAmong([1]),
  run(step) {
    const { tf } = step;
    const { tensors, channelsLast } = alike(tf, [step.needed(0), step.needed(1)]);
    const [x, slope] = tensors as [Tensor, Tensor];
    return valueIn(tf.sub(tf.relu(x), tf.mul(slope, tf.relu(tf.neg(x)))), channelsLast);
  },
};

export const LAYERS = {
  BatchNormalization,
  Conv,
  Gemm,
  LayerNormalization,
  LRN,
  MatMul,
  PRelu,
} satisfies Record<string, Operator>;

function rowsOf(tf: TensorFlow, map: Tensor4D) {
  return tf.reshape(map, [-1, map.shape[3]]);
}
