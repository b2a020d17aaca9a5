import { AppError } from '../errors.js';
import { type Attribute, type Graph, type Model, onnx, opsetOf, type Tensor } from './model-proto.js';

/** Many times what the largest classifiers have; a bound for the work on hostile files. */
const MAX_NODES = 20_000;
/** Least opset that ONNX Runtime answers for. */
const MIN_OPSET = 7;

/**
 * Refuse what a backbone must not be, before any of it reaches ONNX Runtime: tensors in other files (a path in a model
 * can name any file of this machine: CVE-2022-25882, CVE-2024-27318), loops (they need not end), old operators, and
 * more nodes than any real network.
 * @throws AppError `backbone_invalid`
 */
export function checkModel(model: Model): void {
  const opset = opsetOf(model);
  if (opset < MIN_OPSET) {
    throw invalid(`The file uses opset ${opset} of ONNX; ${MIN_OPSET} or newer is needed: export it again.`);
  }
  const graphs: Graph[] = [model.graph ?? {}];
  for (const { initialization, algorithm } of model.trainingInfo ?? [])
    graphs.push(initialization ?? {}, algorithm ?? {});
  for (const { node } of model.functions ?? []) graphs.push({ node });
  let nodes = 0;
  for (let graph = graphs.pop(); graph; graph = graphs.pop()) {
    nodes += graph.node?.length ?? 0;
    if (nodes > MAX_NODES) throw invalid(`The file has more than ${MAX_NODES} nodes, more than any image classifier.`);
    for (const tensor of graph.initializer ?? []) checkTensor(tensor);
    for (const { values, indices } of graph.sparseInitializer ?? []) checkTensor(values, indices);
    for (const { opType, attribute } of graph.node ?? []) {
      if (opType === 'Loop' || opType === 'Scan')
        throw invalid(`The file holds a loop (${opType}); a backbone has none.`);
      for (const each of attribute ?? []) {
        for (const tensor of tensorsOf(each)) checkTensor(tensor);
        graphs.push(...(each.g ? [each.g] : []), ...(each.graphs ?? []));
      }
    }
  }
}

/** An error about the file itself; `message` is one sentence for the user. */
export function invalid(message: string, cause?: unknown): AppError {
  return new AppError('backbone_invalid', message, { cause });
}

function tensorsOf({ t, tensors, sparseTensor, sparseTensors }: Attribute): (Tensor | null | undefined)[] {
  const sparse = [...(sparseTensor ? [sparseTensor] : []), ...(sparseTensors ?? [])];
  return [t, ...(tensors ?? []), ...sparse.flatMap(({ values, indices }) => [values, indices])];
}

function checkTensor(...tensors: (Tensor | null | undefined)[]): void {
  for (const tensor of tensors) {
    if (tensor?.externalData?.length || tensor?.dataLocation === onnx.TensorProto.DataLocation.EXTERNAL) {
      throw invalid(
        `The weights of ${JSON.stringify(tensor.name ?? '')} lie in another file (external data), which is not opened: save the model as one file.`,
      );
    }
  }
}
