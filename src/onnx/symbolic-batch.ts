import { int64Tensor } from './build-node.js';
import type { ImageInput } from './image-input.js';
import type { Graph, GraphNode, Tensor } from './model-proto.js';
import { dimsOfInput } from './probe-shapes.js';
import { constantsOf, int64sOf } from './read-node.js';

/** Let the graph take any number of images, as far as its input says: the batch becomes `N`. */
export function symbolicBatch(graph: Graph, input: ImageInput): Graph {
  const dim = dimsOfInput(input, 0).map((d, i) => (i === 0 ? { dimParam: 'N' } : { dimValue: d }));
  return {
    ...graph,
    input: [{ name: input.name, type: { tensorType: { elemType: 1, shape: { dim } } } }],
  };
}

/**
 * Let every `Reshape` follow the batch: exporters write its target as numbers, with the batch of the day inside. The
 * first number becomes "whatever is left" (−1) and the others what they were in a run. Of a tensor that does not depend
 * on the image, nothing changes; where the batch is not the outermost axis the result is wrong, which is why an import
 * compares its results with those of the untouched file.
 * @param shapes dimensions of the image-dependent tensors in a run with the file's own batch.
 */
export function batchedReshapes(graph: Graph, shapes: Map<string, number[]>): Graph {
  const constants = constantsOf(graph);
  const targets: Tensor[] = [];
  const node = (graph.node ?? []).map((each): GraphNode => {
    const dims = shapes.get(each.output?.[0] ?? '');
    const target = int64sOf(constants.get(each.input?.[1] ?? ''));
    if (each.opType !== 'Reshape' || !dims?.length || !target || !((target[0] ?? 0) > 0)) return each;
    const tensor = int64Tensor(`graft_reshape/${targets.length}`, [-1, ...dims.slice(1)]);
    targets.push(tensor);
    return { ...each, input: [each.input![0]!, tensor.name!] };
  });
  return { ...graph, node, initializer: [...(graph.initializer ?? []), ...targets] };
}
