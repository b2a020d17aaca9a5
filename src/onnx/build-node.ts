import { type Attribute, ELEMENT, type GraphNode, onnx, type Tensor, type ValueInfo } from './model-proto.js';

const { AttributeType } = onnx.AttributeProto;

/** An attribute of a node that is made here: a whole number or a list of them. */
export type IntegerAttribute = number | readonly number[];

/** A node of the standard operators, named after its first output. */
export function buildNode(
  opType: string,
  options: { inputs: string[]; outputs: string[]; attributes?: Record<string, IntegerAttribute> },
): GraphNode {
  const attribute = Object.entries(options.attributes ?? {}).map(
    ([name, value]): Attribute =>
      typeof value === 'number'
        ? { name, type: AttributeType.INT, i: value }
        : { name, type: AttributeType.INTS, ints: [...value] },
  );
  const node = { opType, name: options.outputs[0], input: options.inputs, output: options.outputs, attribute };
  return onnx.NodeProto.create(node);
}

/** A float32 constant, `values` row by row. */
export function floatTensor(name: string, dims: number[], values: Float32Array | number[]): Tensor {
  const floats = Float32Array.from(values);
  const rawData = new Uint8Array(floats.buffer);
  return onnx.TensorProto.create({ name, dims, dataType: ELEMENT.float32, rawData });
}

/** An int64 constant of one dimension. */
export function int64Tensor(name: string, values: number[]): Tensor {
  const rawData = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
  return onnx.TensorProto.create({ name, dims: [values.length], dataType: ELEMENT.int64, rawData });
}

/** What a graph says of an input or output. A dimension is a number, or a name for one that may vary. */
export function valueInfo(name: string, elemType: number, dims: (number | string)[]): ValueInfo {
  const dim = dims.map((d) => (typeof d === 'number' ? { dimValue: d } : { dimParam: d }));
  return { name, type: { tensorType: { elemType, shape: { dim } } } };
}
