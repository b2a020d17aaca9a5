/** Tiny networks as ONNX files, for tests: 16×16 pixels, a few channels, weights from a formula. */
import { buildNode, floatTensor, int64Tensor, valueInfo } from '../../src/onnx/build-node.js';
import {
  type Attribute,
  ELEMENT,
  encodeModel,
  type Graph,
  type GraphNode,
  type Model,
  onnx,
  type Tensor,
  type ValueInfo,
} from '../../src/onnx/model-proto.js';

const SIDE = 16;
const NCHW = ['N', 3, SIDE, SIDE];

interface Parts {
  nodes: GraphNode[];
  constants?: Tensor[];
  inputs?: ValueInfo[];
  outputs?: string[];
  opset?: number;
  irVersion?: number;
}

/** A model of these nodes; by default its input is `x` float32 `[N, 3, 16, 16]`, its output `y`. */
export function modelOf({ nodes, constants = [], inputs, outputs = ['y'], opset = 13, irVersion = 7 }: Parts): Model {
  const graph: Graph = {
    name: 'test',
    node: nodes,
    initializer: constants,
    input: inputs ?? [imageInput()],
    output: outputs.map((name) => ({ name, type: { tensorType: { elemType: ELEMENT.float32 } } })),
  };
  return { irVersion, opsetImport: [{ domain: '', version: opset }], producerName: 'test', graph };
}

export function fileOf(parts: Parts): Uint8Array {
  return encodeModel(modelOf(parts));
}

export function imageInput(dims: (number | string)[] = NCHW, elemType: number = ELEMENT.float32): ValueInfo {
  return valueInfo('x', elemType, dims);
}

/** A constant of values that vary and have no pattern. */
export function weights(name: string, ...dims: number[]): Tensor {
  const length = dims.reduce((product, d) => product * d, 1);
  const fanIn = length / dims[0]!;
  const seed = [...name].reduce((sum, char) => sum + char.charCodeAt(0), 0);
  const values = Array.from({ length }, (_, i) => Math.sin(seed + 12.9898 * i) / Math.sqrt(fanIn));
  return floatTensor(name, dims, values);
}

export function node(opType: string, input: string, output: string, rest: string[] = [], attributes = {}): GraphNode {
  return buildNode(opType, { inputs: [input, ...rest], outputs: [output], attributes });
}

/** 3×3 convolution and Relu, 3 → `channels`, half the size: `input` → `output`. */
export function convRelu(input: string, output: string, from: number, channels: number) {
  const kernel = weights(`${output}_w`, channels, from, 3, 3);
  const attributes = { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] };
  return {
    nodes: [node('Conv', input, `${output}_conv`, [kernel.name!], attributes), node('Relu', `${output}_conv`, output)],
    constants: [kernel],
  };
}

const stem = convRelu('x', 'a', 3, 4);
const body = convRelu('a', 'b', 4, 6);
const network = { nodes: [...stem.nodes, ...body.nodes], constants: [...stem.constants, ...body.constants] };
const pooled = [node('GlobalAveragePool', 'b', 'pool'), node('Flatten', 'pool', 'flat', [], { axis: 1 })];
const transposedGemm = node('Gemm', 'flat', 'y', ['fc_w', 'fc_b'], { transB: 1 });
const dense = [weights('fc_w', 5, 6), weights('fc_b', 5)];

/** Conv, Relu, Conv, Relu, pool, flatten, Gemm with transB: six features, below them a map of four channels. */
export const plain: Parts = {
  nodes: [...network.nodes, ...pooled, transposedGemm],
  constants: [...network.constants, ...dense],
};

/** MatMul and Add instead of Gemm, and Softmax behind. */
export const matMulAdd: Parts = {
  nodes: [
    ...network.nodes,
    ...pooled,
    node('MatMul', 'flat', 'product', ['fc_w']),
    node('Add', 'product', 'logits', ['fc_b']),
    node('Softmax', 'logits', 'y', [], { axis: 1 }),
  ],
  constants: [...network.constants, weights('fc_w', 6, 5), weights('fc_b', 5)],
};

/** ReduceMean with its axes as an input, as since opset 18, and Squeeze likewise. */
export const recentOpset: Parts = {
  nodes: [
    ...network.nodes,
    node('ReduceMean', 'b', 'pool', ['axes'], { keepdims: 1 }),
    node('Squeeze', 'pool', 'flat', ['axes']),
    transposedGemm,
  ],
  constants: [...network.constants, ...dense, int64Tensor('axes', [-1, -2])],
  opset: 18,
  irVersion: 8,
};

/** A classifier in the manner of SqueezeNet: 1×1 convolution, Relu, pool, Softmax. */
export const convClassifier: Parts = {
  nodes: [
    ...network.nodes,
    node('Conv', 'b', 'c_conv', ['c_w'], { kernel_shape: [1, 1] }),
    node('Relu', 'c_conv', 'c'),
    node('GlobalAveragePool', 'c', 'pool'),
    node('Flatten', 'pool', 'logits', [], { axis: 1 }),
    node('Softmax', 'logits', 'y', [], { axis: 1 }),
  ],
  constants: [...network.constants, weights('c_w', 5, 6, 1, 1)],
};

/** One image at a time, in the input and as a number in a Reshape; constants listed as inputs, as old files do. */
export const fixedBatch: Parts = {
  nodes: [
    ...network.nodes,
    node('GlobalAveragePool', 'b', 'pool'),
    node('Reshape', 'pool', 'flat', ['shape']),
    transposedGemm,
  ],
  constants: [...network.constants, ...dense, int64Tensor('shape', [1, 6])],
  inputs: [imageInput([1, 3, SIDE, SIDE]), valueInfo('fc_w', ELEMENT.float32, [5, 6])],
  irVersion: 3,
};

/** Channels last, outside and where it is pooled, as TensorFlow's converter writes. */
export const channelsLast: Parts = {
  nodes: [
    node('Transpose', 'x', 'nchw', [], { perm: [0, 3, 1, 2] }),
    ...convRelu('nchw', 'a', 3, 4).nodes,
    ...body.nodes,
    node('Transpose', 'b', 'nhwc', [], { perm: [0, 2, 3, 1] }),
    node('ReduceMean', 'nhwc', 'flat', [], { axes: [1, 2], keepdims: 0 }),
    transposedGemm,
  ],
  constants: [...network.constants, ...dense],
  inputs: [imageInput(['N', SIDE, SIDE, 3])],
};

/** A hidden dense layer on the flattened map, as in VGG: the features are no mean of a map. */
export const hiddenDense: Parts = {
  nodes: [
    ...network.nodes,
    node('Flatten', 'b', 'flat', [], { axis: 1 }),
    node('Gemm', 'flat', 'hidden', ['h_w'], { transB: 1 }),
    node('Relu', 'hidden', 'active'),
    node('Gemm', 'active', 'y', ['fc_w'], { transB: 1 }),
  ],
  constants: [...network.constants, weights('h_w', 7, 96), weights('fc_w', 5, 7)],
};

/** No classifier; the features are the means of the three channels as the network sees them. */
export const channelMeans: Parts = {
  nodes: [
    node('Conv', 'x', 'same', ['identity'], { kernel_shape: [1, 1] }),
    node('GlobalAveragePool', 'same', 'pool'),
    node('Flatten', 'pool', 'y', [], { axis: 1 }),
  ],
  constants: [floatTensor('identity', [3, 3, 1, 1], [1, 0, 0, 0, 1, 0, 0, 0, 1])],
};

/** Pictures of a batch influence each other: such a network cannot be a backbone. */
export const mixedBatch: Parts = {
  nodes: [
    ...network.nodes,
    node('ReduceMean', 'b', 'average', [], { axes: [0], keepdims: 1 }),
    node('Add', 'b', 'mixed', ['average']),
    node('GlobalAveragePool', 'mixed', 'pool'),
    node('Flatten', 'pool', 'flat', [], { axis: 1 }),
    transposedGemm,
  ],
  constants: [...network.constants, ...dense],
};

/** Residual blocks with `stages` channels each, two blocks a stage, the size halved before each. */
export function residual(stages: number[]): Parts {
  const nodes: GraphNode[] = [];
  const constants: Tensor[] = [];
  let input = 'x';
  let from = 3;
  for (const [i, channels] of stages.entries()) {
    const down = convRelu(input, `s${i}`, from, channels);
    nodes.push(...down.nodes);
    constants.push(...down.constants);
    input = `s${i}`;
    for (const block of ['p', 'q']) {
      const kernel = weights(`s${i}${block}_w`, channels, channels, 3, 3);
      constants.push(kernel);
      nodes.push(
        node('Conv', input, `s${i}${block}_conv`, [kernel.name!], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }),
        node('Add', `s${i}${block}_conv`, `s${i}${block}_sum`, [input]),
        node('Relu', `s${i}${block}_sum`, `s${i}${block}`),
      );
      input = `s${i}${block}`;
    }
    from = channels;
  }
  nodes.push(
    node('GlobalAveragePool', input, 'pool'),
    node('Flatten', 'pool', 'flat', [], { axis: 1 }),
    node('Gemm', 'flat', 'y', ['fc_w'], { transB: 1 }),
  );
  return { nodes, constants: [...constants, weights('fc_w', 5, from)] };
}

/** `depth` Relus in a row before the pooling. */
export function chain(depth: number): Parts {
  const relus = Array.from({ length: depth }, (_, i) => node('Relu', i === 0 ? 'b' : `r${i - 1}`, `r${i}`));
  return {
    ...plain,
    nodes: [
      ...network.nodes,
      ...relus,
      node('GlobalAveragePool', `r${depth - 1}`, 'pool'),
      node('Flatten', 'pool', 'flat', [], { axis: 1 }),
      transposedGemm,
    ],
  };
}

/** A constant whose values are said to lie in another file. */
export function externalTensor(name: string): Tensor {
  return onnx.TensorProto.create({
    name,
    dims: [5, 6],
    dataType: ELEMENT.float32,
    dataLocation: onnx.TensorProto.DataLocation.EXTERNAL,
    externalData: [{ key: 'location', value: '../../../etc/passwd' }],
  });
}

/** An `If` whose branches are graphs of these nodes. */
export function branching(nodes: GraphNode[]): GraphNode {
  const graph = (name: string): Attribute => ({
    name,
    type: onnx.AttributeProto.AttributeType.GRAPH,
    g: { name, node: nodes },
  });
  return { opType: 'If', input: ['condition'], output: ['z'], attribute: [graph('then_branch'), graph('else_branch')] };
}

/** A `Constant` node. */
export function constantNode(output: string, value: Tensor): GraphNode {
  const attribute: Attribute = { name: 'value', type: onnx.AttributeProto.AttributeType.TENSOR, t: value };
  return { opType: 'Constant', input: [], output: [output], attribute: [attribute] };
}

/**
 * The bytes of a file whose sub-graphs lie `depth` deep, each in an attribute of a node of the one around it. Written
 * from the inside, since an encoder would recurse.
 */
export function nested(depth: number): Uint8Array {
  const pieces: number[][] = [];
  let length = 0;
  const wrap = (field: number) => {
    const head = opening(field, length);
    pieces.push(head);
    length += head.length;
  };
  // GraphProto.node = 1, NodeProto.attribute = 5, AttributeProto.g = 6, ModelProto.graph = 7.
  for (let i = 0; i < depth; i++) for (const field of [1, 6, 5]) wrap(field);
  wrap(1);
  wrap(7);
  return Uint8Array.from(pieces.reverse().flat());
}

/** The bytes of a file whose graph is `count` nodes of nothing. */
export function emptyNodes(count: number): Uint8Array {
  const nodes = new Uint8Array(2 * count).map((_, i) => (i % 2 === 0 ? 10 : 0));
  return Buffer.concat([Uint8Array.from(opening(7, nodes.length)), nodes]);
}

/** Tag and length of a message in `field`. */
function opening(field: number, length: number): number[] {
  const head = [(field << 3) | 2];
  let rest = length;
  for (; rest > 127; rest = Math.floor(rest / 128)) head.push((rest % 128) + 128);
  return [...head, rest];
}
