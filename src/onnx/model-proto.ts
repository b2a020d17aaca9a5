/**
 * onnx/ reads, cuts and writes ONNX files, and asks ONNX Runtime whether they work. It decides nothing: what a network is used
 * for lies in backbones/image/import/, where it is cut in top/, what is handed out in artifacts/.
 *
 * This file: the format, protobuf messages as `onnx-proto` generates them, under short names.
 */
import onnxProto, { type onnx as proto } from 'onnx-proto';
import { AppError } from '../errors.js';

/** The vendor is CommonJS whose names Node cannot see: only its default import works. */
export const { onnx } = onnxProto;

export type Model = proto.IModelProto;
export type Graph = proto.IGraphProto;
export type GraphNode = proto.INodeProto;
export type Tensor = proto.ITensorProto;
export type ValueInfo = proto.IValueInfoProto;
export type Attribute = proto.IAttributeProto;

/** Element types of tensors, as numbered by the format. */
export const ELEMENT = { float32: 1, uint8: 2, int8: 3, int32: 6, int64: 7, float16: 10, float64: 11 } as const;

/**
 * Read an ONNX file. The weights stay views of `bytes`: nothing large is copied.
 * @throws AppError `backbone_invalid` when the bytes are not an ONNX model.
 */
export function decodeModel(bytes: Uint8Array): Model {
  let model: Model;
  try {
    // A Buffer, because protobufjs copies `bytes` fields out of a plain Uint8Array.
    model = onnx.ModelProto.decode(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  } catch (cause) {
    // A RangeError is also what endless nesting ends in: the decoder recurses once per level of sub-graphs.
    throw new AppError(
      'backbone_invalid',
      'The file is not an ONNX model: its protobuf is damaged or of another kind.',
      {
        cause,
      },
    );
  }
  if (!model.graph?.node?.length) {
    throw new AppError('backbone_invalid', 'The file is not an ONNX model: it holds no graph with nodes.');
  }
  return model;
}

/** The bytes of an ONNX file. */
export function encodeModel(model: Model): Uint8Array {
  return onnx.ModelProto.encode(model).finish();
}

/** The version of the standard operators that the model speaks; 0 where it says none. */
export function opsetOf(model: Model): number {
  const standard = model.opsetImport?.find(({ domain }) => !domain || domain === 'ai.onnx');
  return Number(standard?.version ?? 0);
}
