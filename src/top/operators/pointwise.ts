/** Operators that work number by number. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { floatAttribute, textAttribute } from '../../onnx/read-node.js';
import type { Described, Operator, Step, TensorFlow } from './contract.js';
import { alike, valueIn } from './values.js';

/** One tensor in, one of the same size out. */
function unary(compute: (tf: TensorFlow, x: Tensor, step: Step) => Tensor): Operator {
  return {
    run(step) {
      const x = step.needed(0);
      return { ...x, tensor: compute(step.tf, x.tensor, step) };
    },
  };
}

/** Constants with numbers along one axis alone are weights, such as those of a normalisation that is written out. */
function perChannel({ constant }: Described): number[] {
  return [0, 1].filter((place) => constant(place)?.filter((d) => d !== 1).length === 1);
}

/** Tensors of which some may be smaller, and are repeated. */
function together(compute: (tf: TensorFlow, a: Tensor, b: Tensor) => Tensor): Operator {
  return {
    trained: perChannel,
    run(step) {
      const { tf, node } = step;
      const values = node.input!.map((_, place) => step.needed(place));
      const { tensors, channelsLast } = alike(tf, values);
      return valueIn(
        tensors.slice(1).reduce((sum, each) => compute(tf, sum, each), tensors[0]!),
        channelsLast,
      );
    },
  };
}

const erfGelu = (tf: TensorFlow, x: Tensor) => tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1));
const tanhGelu = (tf: TensorFlow, x: Tensor) => {
  const inner = tf.mul(tf.add(x, tf.mul(tf.mul(tf.square(x), x), 0.044715)), Math.sqrt(2 / Math.PI));
  return tf.mul(tf.mul(x, 0.5), tf.add(tf.tanh(inner), 1));
};
const hardSigmoid = (tf: TensorFlow, x: Tensor, alpha: number, beta: number) =>
  tf.clipByValue(tf.add(tf.mul(x, alpha), beta), 0, 1);

/** Bounds are attributes until opset 10, inputs since. */
const Clip = unary((tf, x, step) => {
  const bound = (place: number, name: string, fallback: number) =>
    step.numbers(place)?.[0] ?? floatAttribute(step.node, name, fallback);
  const low = bound(1, 'min', Number.NEGATIVE_INFINITY);
  const high = bound(2, 'max', Number.POSITIVE_INFINITY);
  return low === 0 && high === Number.POSITIVE_INFINITY ? tf.relu(x) : tf.clipByValue(x, low, high);
});

const Pow: Operator = {
  refuses: ({ constant }) => (constant(1)?.every((d) => d === 1) ? undefined : 'its power is no number'),
  run(step) {
    const { tf } = step;
    const x = step.needed(0);
    const [power] = step.numbers(1)!;
    const y = power === 2 ? tf.square(x.tensor) : power === 0.5 ? tf.sqrt(x.tensor) : tf.pow(x.tensor, power!);
    return { ...x, tensor: y };
  },
};

export const POINTWISE = {
  Add: together((tf, a, b) => tf.add(a, b)),
  Cast: unary((_, x) => x),
  Clip,
  Div: together((tf, a, b) => tf.div(a, b)),
  Dropout: unary((_, x) => x),
  Elu: unary((tf, x, { node }) => {
    const alpha = floatAttribute(node, 'alpha', 1);
    return tf.sub(tf.relu(x), tf.mul(tf.sub(1, tf.exp(tf.neg(tf.relu(tf.neg(x))))), alpha));
  }),
  Erf: unary((tf, x) => tf.erf(x)),
  Exp: unary((tf, x) => tf.exp(x)),
  Gelu: unary((tf, x, { node }) => (textAttribute(node, 'approximate') === 'tanh' ? tanhGelu(tf, x) : erfGelu(tf, x))),
  HardSigmoid: unary((tf, x, { node }) =>
    hardSigmoid(tf, x, floatAttribute(node, 'alpha', 0.2), floatAttribute(node, 'beta', 0.5)),
  ),
  HardSwish: unary((tf, x) => tf.mul(x, hardSigmoid(tf, x, 1 / 6, 0.5))),
  Identity: unary((_, x) => x),
  LeakyRelu: unary((tf, x, { node }) =>
    tf.sub(tf.relu(x), tf.mul(tf.relu(tf.neg(x)), floatAttribute(node, 'alpha', 0.01))),
  ),
  Log: unary((tf, x) => tf.log(x)),
  Max: together((tf, a, b) => tf.add(b, tf.relu(tf.sub(a, b)))),
  Min: together((tf, a, b) => tf.sub(a, tf.relu(tf.sub(a, b)))),
  Mul: together((tf, a, b) => tf.mul(a, b)),
  Neg: unary((tf, x) => tf.neg(x)),
  Pow,
  Reciprocal: unary((tf, x) => tf.div(1, x)),
  Relu: unary((tf, x) => tf.relu(x)),
  Sigmoid: unary((tf, x) => tf.sigmoid(x)),
  Softplus: unary((tf, x) => tf.add(tf.relu(x), tf.log(tf.add(tf.exp(tf.neg(tf.abs(x))), 1)))),
  Sqrt: unary((tf, x) => tf.sqrt(x)),
  Sub: together((tf, a, b) => tf.sub(a, b)),
  Sum: together((tf, a, b) => tf.add(a, b)),
  Tanh: unary((tf, x) => tf.tanh(x)),
} satisfies Record<string, Operator>;
