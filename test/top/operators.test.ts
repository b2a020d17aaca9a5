/** Operators of a top: each computes what ONNX Runtime computes, and its gradient is the slope that is measured. */
import type { Scalar, Tensor } from '@tensorflow/tfjs-core';
import t, { type Test } from 'tap';
import { loadEngine } from '../../src/heads/engine.js';
import { floatTensor, int64Tensor, valueInfo } from '../../src/onnx/build-node.js';
import { ELEMENT, encodeModel, type GraphNode, onnx, type Tensor as Constant } from '../../src/onnx/model-proto.js';
import { inspectGraph } from '../../src/top/backbone-graph.js';
import { TopNetwork } from '../../src/top/network.js';
import { OPERATORS } from '../../src/top/operators/operators.js';
import { readTop } from '../../src/top/program.js';
import { type Attributes, nodeWith } from '../helpers/layers.js';
import { modelOf, node, weights } from '../helpers/onnx-models.js';
import { relativeDifference, runOnnx } from '../helpers/onnx-run.js';
import { randomFrom } from '../helpers/photos.js';

const engine = await loadEngine();
const { tf } = engine;

interface Case {
  nodes: GraphNode[];
  constants?: Constant[];
  opset?: number;
  /** Of the map that it begins with, `[C, h, w]`. */
  dims?: [number, number, number];
}

/** The operator alone, on a map of 4 channels and 6 × 5 places. */
const one = (opType: string, attributes: Attributes = {}, constants: Constant[] = []): Case => ({
  nodes: [nodeWith(opType, ['m', ...constants.map(({ name }) => name!)], ['y'], attributes)],
  constants,
});
/** The operator on tokens `[N, 30, 4]`, made of the map. */
const onTokens = (nodes: GraphNode[], constants: Constant[] = [], opset = 17): Case => ({
  nodes: [
    nodeWith('Reshape', ['m', 'flat'], ['rows']),
    nodeWith('Transpose', ['rows'], ['tokens'], { perm: [0, 2, 1] }),
    ...nodes,
  ],
  constants: [int64Tensor('flat', [0, 4, -1]), ...constants],
  opset,
});
const scalar = (name: string, value: number) => floatTensor(name, [], [value]);

const CASES: Record<string, Case> = {
  'Conv, strides and padding that differ': one('Conv', { kernel_shape: [3, 2], strides: [2, 1], pads: [1, 0, 2, 1] }, [
    weights('w', 6, 4, 3, 2),
    weights('b', 6),
  ]),
  'Conv, dilated': one('Conv', { kernel_shape: [3, 3], dilations: [2, 1], pads: [2, 1, 2, 1] }, [
    weights('w', 3, 4, 3, 3),
  ]),
  'Conv, two groups': one('Conv', { kernel_shape: [3, 3], group: 2 }, [weights('w', 6, 2, 3, 3)]),
  'Conv, depthwise with a stride': one(
    'Conv',
    { kernel_shape: [3, 3], group: 4, strides: [2, 2], pads: [0, 0, 1, 1] },
    [weights('w', 4, 1, 3, 3), weights('b', 4)],
  ),
  'Conv, two outputs a channel': one('Conv', { kernel_shape: [3, 3], group: 4 }, [weights('w', 8, 1, 3, 3)]),
  'Conv, SAME_UPPER': one('Conv', { kernel_shape: [3, 3], strides: [2, 2], auto_pad: 'SAME_UPPER' }, [
    weights('w', 5, 4, 3, 3),
  ]),
  'Conv, one place': one('Conv', { kernel_shape: [1, 1] }, [weights('w', 5, 4, 1, 1)]),
  'Conv, one place with a stride': one('Conv', { kernel_shape: [1, 1], strides: [2, 2] }, [weights('w', 5, 4, 1, 1)]),
  BatchNormalization: one('BatchNormalization', { epsilon: { f: 1e-3 } }, [
    weights('s', 4),
    weights('b', 4),
    weights('mean', 4),
    floatTensor('v', [4], [0.5, 1, 2, 0.7]),
  ]),
  'MaxPool, overlapping': one('MaxPool', { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] }),
  'MaxPool, sizes rounded up': one('MaxPool', { kernel_shape: [3, 3], strides: [2, 2], ceil_mode: 1 }),
  'AveragePool, padded': one('AveragePool', { kernel_shape: [3, 3], strides: [1, 1], pads: [1, 1, 1, 1] }),
  'AveragePool, its padding counts': one('AveragePool', {
    ...{ kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] },
    count_include_pad: 1,
  }),
  'AveragePool, SAME_UPPER': one('AveragePool', { kernel_shape: [3, 3], strides: [2, 2], auto_pad: 'SAME_UPPER' }),
  'AveragePool, cut windows': one('AveragePool', { kernel_shape: [2, 2], strides: [2, 2] }),
  'Pad, then AveragePool': {
    nodes: [
      nodeWith('Pad', ['m', 'pads'], ['p'], { mode: 'constant' }),
      nodeWith('AveragePool', ['p'], ['y'], { kernel_shape: [3, 3], strides: [1, 1] }),
    ],
    constants: [int64Tensor('pads', [0, 0, 1, 1, 0, 0, 1, 1])],
  },
  LRN: one('LRN', { size: 3, alpha: { f: 0.3 }, beta: { f: 0.75 }, bias: { f: 1 } }),
  'Flatten and Gemm': {
    nodes: [nodeWith('Flatten', ['m'], ['f'], { axis: 1 }), nodeWith('Gemm', ['f', 'w', 'b'], ['y'], { transB: 1 })],
    constants: [weights('w', 7, 120), weights('b', 7)],
  },
  'Reshape with channels last, and MatMul': {
    nodes: [
      nodeWith('Transpose', ['m'], ['last'], { perm: [0, 2, 3, 1] }),
      nodeWith('Reshape', ['last', 'flat'], ['f']),
      nodeWith('MatMul', ['f', 'w'], ['p']),
      nodeWith('Add', ['p', 'b'], ['y']),
    ],
    constants: [int64Tensor('flat', [-1, 120]), weights('w', 120, 7), weights('b', 7)],
  },
  'GlobalAveragePool and Squeeze': {
    nodes: [nodeWith('GlobalAveragePool', ['m'], ['p']), nodeWith('Squeeze', ['p', 'axes'], ['y'])],
    constants: [int64Tensor('axes', [2, 3])],
  },
  'ReduceMean with channels last': {
    nodes: [
      nodeWith('Transpose', ['m'], ['last'], { perm: [0, 2, 3, 1] }),
      nodeWith('ReduceMean', ['last'], ['y'], { axes: [1, 2], keepdims: 0 }),
    ],
  },
  'ReduceMean over rows of a map': one('ReduceMean', { axes: [2], keepdims: 0 }),
  ReduceMax: one('ReduceMax', { axes: [-1], keepdims: 1 }),
  'ReduceSum over channels': {
    nodes: [nodeWith('ReduceSum', ['m', 'axes'], ['y'], { keepdims: 0 })],
    constants: [int64Tensor('axes', [1])],
  },
  ReduceL2: onTokens([
    nodeWith('ReduceL2', ['tokens'], ['length'], { axes: [-1], keepdims: 1 }),
    nodeWith('Div', ['tokens', 'length'], ['y']),
  ]),
  'squeeze and excitation': {
    nodes: [
      nodeWith('GlobalAveragePool', ['m'], ['p']),
      nodeWith('Conv', ['p', 'w', 'b'], ['c'], { kernel_shape: [1, 1] }),
      nodeWith('HardSigmoid', ['c'], ['s'], { alpha: { f: 1 / 6 } }),
      nodeWith('Mul', ['m', 's'], ['y']),
    ],
    constants: [weights('w', 4, 4, 1, 1), weights('b', 4)],
  },
  'squeeze and excitation, as Keras writes it': {
    nodes: [
      nodeWith('GlobalAveragePool', ['m'], ['p']),
      nodeWith('Squeeze', ['p', 'axes'], ['v']),
      nodeWith('Reshape', ['v', 'shape'], ['r']),
      nodeWith('Transpose', ['r'], ['t'], { perm: [0, 3, 1, 2] }),
      nodeWith('Sigmoid', ['t'], ['s']),
      nodeWith('Mul', ['s', 'm'], ['y']),
    ],
    constants: [int64Tensor('axes', [2, 3]), int64Tensor('shape', [-1, 1, 1, 4])],
  },
  'a normalisation that is written out': {
    nodes: [
      nodeWith('Sub', ['m', 'mean'], ['a']),
      nodeWith('Div', ['a', 'd'], ['c']),
      nodeWith('Mul', ['c', 's'], ['e']),
      nodeWith('Add', ['e', 'b'], ['y']),
    ],
    constants: [
      ...[weights('mean', 1, 4, 1, 1), weights('s', 4, 1, 1), weights('b', 4, 1, 1)],
      floatTensor('d', [4, 1, 1], [1, 2, 0.5, 1.5]),
    ],
  },
  'LayerNormalization of a map, as ConvNeXt has it': {
    nodes: [
      nodeWith('Transpose', ['m'], ['last'], { perm: [0, 2, 3, 1] }),
      nodeWith('LayerNormalization', ['last', 's', 'b'], ['n'], { axis: -1 }),
      nodeWith('MatMul', ['n', 'w'], ['p']),
      nodeWith('Gelu', ['p'], ['g']),
      nodeWith('Mul', ['g', 'gamma'], ['l']),
      nodeWith('Transpose', ['l'], ['back'], { perm: [0, 3, 1, 2] }),
      nodeWith('Add', ['back', 'm'], ['y']),
    ],
    constants: [weights('s', 4), weights('b', 4), weights('w', 4, 4), weights('gamma', 4)],
    opset: 20,
  },
  'LayerNormalization, written out': onTokens(
    [
      nodeWith('ReduceMean', ['tokens'], ['mean'], { axes: [-1], keepdims: 1 }),
      nodeWith('Sub', ['tokens', 'mean'], ['c']),
      nodeWith('Pow', ['c', 'two'], ['square']),
      nodeWith('ReduceMean', ['square'], ['v'], { axes: [-1], keepdims: 1 }),
      nodeWith('Add', ['v', 'epsilon'], ['v2']),
      nodeWith('Sqrt', ['v2'], ['deviation']),
      nodeWith('Div', ['c', 'deviation'], ['n']),
      nodeWith('Mul', ['n', 's'], ['y']),
    ],
    [scalar('two', 2), scalar('epsilon', 1e-5), weights('s', 4)],
  ),
  'attention of two heads': onTokens(
    [
      nodeWith('MatMul', ['tokens', 'w'], ['qkv']),
      nodeWith('Split', ['qkv', 'sizes'], ['q', 'k', 'v'], { axis: 2 }),
      ...['q', 'k', 'v'].flatMap((name) => [
        nodeWith('Reshape', [name, 'heads'], [`${name}_heads`]),
        nodeWith('Transpose', [`${name}_heads`], [`${name}_first`], { perm: [0, 2, 1, 3] }),
      ]),
      nodeWith('Transpose', ['k_first'], ['k_turned'], { perm: [0, 1, 3, 2] }),
      nodeWith('MatMul', ['q_first', 'k_turned'], ['alike']),
      nodeWith('Mul', ['alike', 'scale'], ['scaled']),
      nodeWith('Softmax', ['scaled'], ['attention'], { axis: -1 }),
      nodeWith('MatMul', ['attention', 'v_first'], ['seen']),
      nodeWith('Transpose', ['seen'], ['places'], { perm: [0, 2, 1, 3] }),
      nodeWith('Reshape', ['places', 'whole'], ['together']),
      nodeWith('Add', ['together', 'tokens'], ['y']),
    ],
    [
      ...[weights('w', 4, 12), int64Tensor('sizes', [4, 4, 4]), int64Tensor('heads', [0, -1, 2, 2])],
      ...[int64Tensor('whole', [0, -1, 4]), scalar('scale', 0.7)],
    ],
  ),
  'a class token': onTokens(
    [
      nodeWith('Shape', ['tokens'], ['shape']),
      nodeWith('Gather', ['shape', 'zero'], ['count'], { axis: 0 }),
      nodeWith('Unsqueeze', ['count', 'zeros'], ['count_1']),
      nodeWith('Concat', ['count_1', 'rest'], ['size'], { axis: 0 }),
      nodeWith('Expand', ['class', 'size'], ['classes']),
      nodeWith('Concat', ['classes', 'tokens'], ['all'], { axis: 1 }),
      nodeWith('Add', ['all', 'positions'], ['placed']),
      nodeWith('Gather', ['placed', 'zero'], ['y'], { axis: 1 }),
    ],
    [
      ...[
        int64Tensor('zeros', [0]),
        onnx.TensorProto.create({ name: 'zero', dims: [], dataType: ELEMENT.int64, int64Data: [0] }),
      ],
      ...[int64Tensor('rest', [1, 4]), weights('class', 1, 1, 4), weights('positions', 1, 31, 4)],
    ],
  ),
  'channels that are shuffled': {
    nodes: [
      nodeWith('Slice', ['m', 'from', 'to', 'axes'], ['half']),
      nodeWith('Concat', ['half', 'm'], ['six'], { axis: 1 }),
      nodeWith('Reshape', ['six', 'groups'], ['g']),
      nodeWith('Transpose', ['g'], ['turned'], { perm: [0, 2, 1, 3, 4] }),
      nodeWith('Reshape', ['turned', 'back'], ['y']),
    ],
    constants: [
      ...[int64Tensor('from', [2]), int64Tensor('to', [9_223_372]), int64Tensor('axes', [1])],
      ...[int64Tensor('groups', [-1, 2, 3, 6, 5]), int64Tensor('back', [-1, 6, 6, 5])],
    ],
  },
  'Slice with steps, backwards counted': {
    nodes: [nodeWith('Slice', ['m', 'from', 'to', 'axes', 'steps'], ['y'])],
    constants: [
      ...[int64Tensor('from', [0, -5]), int64Tensor('to', [6, -1]), int64Tensor('axes', [2, 3])],
      int64Tensor('steps', [2, 2]),
    ],
  },
  'Clip of attributes': { ...one('Clip', { min: { f: -0.5 }, max: { f: 0.5 } }), opset: 10 },
  'Clip of inputs': one('Clip', {}, [scalar('low', 0), scalar('high', 0.6)]),
  Elu: one('Elu', { alpha: { f: 0.8 } }),
  Erf: one('Erf'),
  Exp: one('Exp'),
  'Gelu, by tanh': { ...one('Gelu', { approximate: 'tanh' }), opset: 20 },
  HardSwish: { ...one('HardSwish'), opset: 14 },
  LeakyRelu: one('LeakyRelu', { alpha: { f: 0.1 } }),
  'Log and Softplus': { nodes: [nodeWith('Softplus', ['m'], ['p']), nodeWith('Log', ['p'], ['y'])] },
  'Max and Min': {
    nodes: [nodeWith('Max', ['m', 'a'], ['p']), nodeWith('Min', ['p', 'b'], ['y'])],
    constants: [weights('a', 4, 1, 1), weights('b', 1, 1, 5)],
  },
  'Neg and Reciprocal': {
    nodes: [nodeWith('Exp', ['m'], ['e']), nodeWith('Neg', ['e'], ['n']), nodeWith('Reciprocal', ['n'], ['y'])],
  },
  PRelu: one('PRelu', {}, [weights('slope', 4, 1, 1)]),
  'Pow, any power': {
    nodes: [nodeWith('Exp', ['m'], ['e']), nodeWith('Pow', ['e', 'p'], ['y'])],
    constants: [scalar('p', 1.5)],
  },
  SiLU: { nodes: [nodeWith('Sigmoid', ['m'], ['s']), nodeWith('Mul', ['m', 's'], ['y'])] },
  'Sum, Cast, Dropout, Identity': {
    nodes: [
      nodeWith('Cast', ['m'], ['c'], { to: ELEMENT.float32 }),
      nodeWith('Dropout', ['c'], ['d']),
      nodeWith('Identity', ['d'], ['i']),
      nodeWith('Sum', ['m', 'd', 'i'], ['y']),
    ],
  },
  'Relu, where a channel is pooled, too': {
    nodes: [
      nodeWith('Relu', ['m'], ['r']),
      nodeWith('GlobalAveragePool', ['r'], ['p']),
      nodeWith('Sub', ['r', 'p'], ['y']),
    ],
  },
  Tanh: one('Tanh'),
};

/** The case between a convolution and a weighted mean, so that there is a weight before it whose gradient goes through it. */
function around({ nodes, constants = [], opset = 13, dims = [4, 6, 5] }: Case) {
  const [C, height, width] = dims;
  return modelOf({
    inputs: [valueInfo('x', ELEMENT.float32, ['N', 3, height, width])],
    nodes: [
      node('Conv', 'x', 'm0', ['first', 'first_b'], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }),
      node('Identity', 'm0', 'm'),
      ...nodes,
      node('Flatten', 'y', 'features', [], { axis: 1 }),
    ],
    constants: [weights('first', C, 3, 3, 3), weights('first_b', C), ...constants],
    outputs: ['features'],
    opset,
    irVersion: 8,
  });
}

function noise(length: number, seed: number): Float32Array {
  const random = randomFrom(seed);
  return Float32Array.from({ length }, () => 2 * random() - 1);
}

async function examine(t: Test, given: Case): Promise<void> {
  const model = around(given);
  const [, height, width] = given.dims ?? [4, 6, 5];
  const input = { name: 'x', layout: 'nchw' as const, width, height, batch: undefined };
  const graph = await inspectGraph(model, { id: 'one', features: 'features', input, pixels: false });
  const program = readTop(graph, { tensor: 'x', dims: [3, height, width], beside: [] });
  const x = noise(2 * 3 * height * width, 1);
  const expected = await runOnnx(encodeModel(model), { data: x, dims: [2, 3, height, width] });
  const network = new TopNetwork(engine, program);
  try {
    const answer = tf.tidy(() => network.forward(x, 2).dataSync() as Float32Array);
    t.ok(relativeDifference(answer, expected.features!.data) < 1e-5, 'the same numbers');
    const direction = noise(answer.length, 2);
    const loss = () => tf.sum(tf.mul(network.forward(x, 2), tf.tensor2d(direction, [2, answer.length / 2]))) as Scalar;
    const { grads } = tf.tidy(() =>
      tf.variableGrads(
        loss,
        network.parameters.map(({ variable }) => variable),
      ),
    );
    t.ok(network.parameters.some(({ name }) => name === 'first'));
    for (const [i, { name, variable }] of network.parameters.entries()) {
      const gradient = grads[variable.name]! as Tensor;
      const start = variable.dataSync().slice() as Float32Array;
      const along = noise(start.length, 3 + i);
      const at = (step: number) => {
        const moved = start.map((value, k) => value + step * along[k]!);
        tf.tidy(() => variable.assign(tf.tensor(moved, variable.shape as [number])));
        return tf.tidy(() => loss().dataSync()[0]!);
      };
      const measured = (at(3e-4) - at(-3e-4)) / 6e-4;
      at(0);
      const values = gradient.dataSync() as Float32Array;
      const slope = along.reduce((sum, value, k) => sum + value * values[k]!, 0);
      const scale = Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0));
      t.ok(Math.abs(measured - slope) < 0.01 * scale + 5e-3, `${name}: ${measured}, and ${slope} by the gradient`);
    }
    tf.dispose(Object.values(grads));
  } finally {
    network.dispose();
  }
}

for (const [name, given] of Object.entries(CASES)) t.test(name, (t) => examine(t, given));

t.test('no operator is without a case', (t) => {
  const tried = new Set(Object.values(CASES).flatMap(({ nodes }) => nodes.map(({ opType }) => opType)));
  t.same([...OPERATORS.keys()].filter((name) => !tried.has(name)).sort(), []);
  t.end();
});
