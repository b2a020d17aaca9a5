import { floatTensor } from '../onnx/build-node.js';
import type { FloatConstant } from '../onnx/float-constant.js';
import { decodeModel, encodeModel } from '../onnx/model-proto.js';

/** An ONNX file with other values for some of its constants, also for those that a node casts from another type. */
export function replaceWeights(file: Uint8Array, weights: Map<string, FloatConstant>): Uint8Array {
  const model = decodeModel(file);
  const { graph } = model;
  const replaced = (name: string | null | undefined) => weights.has(name ?? '');
  const tensors = [...weights].map(([name, { dims, values }]) => floatTensor(name, dims, values));
  return encodeModel({
    ...model,
    graph: {
      ...graph,
      node: graph!.node!.filter(({ output }) => !output?.some(replaced)),
      initializer: [...(graph!.initializer ?? []).filter(({ name }) => !replaced(name)), ...tensors],
    },
  });
}
