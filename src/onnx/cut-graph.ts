/**
 * Cut a backbone in two: the trunk, from pixels to the cut, which all models with this cut share, and the top, from
 * there to the features, whose weights may be a model's own. So the top's weights are inputs of its graph: one session of
 * ONNX Runtime serves the tops of all models (making and releasing a session for each would leak, onnxruntime#25325).
 */
import type { BackboneCut } from '../schemas/backbones.js';
import { buildNode, valueInfo } from './build-node.js';
import { ELEMENT, type Graph, type GraphNode, type Model } from './model-proto.js';
import { namesReadBy, pruneGraph } from './prune-graph.js';

/** The trunk's only output, `[N, T]`: the tensor of the cut, row by row, then what is handed through. */
export const TRUNK = 'graft_trunk/output';

/** Length of the trunk's output for one image. */
export function trunkDimensions(cut: BackboneCut): number {
  return tensorsOf(cut).reduce((sum, { dims }) => sum + valuesOf(dims), 0);
}

/** What passes a cut: its tensor, then what goes beside. `dims` are those of one image. */
export function tensorsOf({ tensor, dims, beside }: BackboneCut): { tensor: string; dims: number[] }[] {
  return [{ tensor, dims }, ...beside];
}

/** Numbers in a tensor of these dimensions. */
export function valuesOf(dims: readonly number[]): number {
  return dims.reduce((product, d) => product * d, 1);
}

/** The nodes behind the tensors of a cut that the features need, in order, and the tensors that they read and do not make. */
export function topNodes(graph: Graph, { cut, features }: { cut: string[]; features: string }) {
  const behind = new Set(cut);
  const nodes: GraphNode[] = [];
  const read = new Set<string>();
  const below = graph.node!.filter(({ output }) => !output?.some((name) => behind.has(name)));
  for (const node of pruneGraph({ ...graph, node: below }, [features]).node!) {
    const names = namesReadBy(node);
    if (!names.some((name) => behind.has(name))) continue;
    for (const name of node.output ?? []) behind.add(name);
    for (const name of names) read.add(name);
    nodes.push(node);
  }
  return { nodes, reads: [...read].filter((name) => !behind.has(name)) };
}

/** The backbone up to the cut: the same input, output `TRUNK`. */
export function trunkModel(model: Model, cut: BackboneCut): Model {
  const tensors = tensorsOf(cut);
  const pruned = pruneGraph(
    model.graph!,
    tensors.map(({ tensor }) => tensor),
  );
  const flats = tensors.map(({ tensor }, i) => ({ tensor, flat: `graft_trunk/${i}` }));
  const graph: Graph = {
    ...pruned,
    node: [
      ...pruned.node!,
      ...flats.map(({ tensor, flat }) =>
        buildNode('Flatten', { inputs: [tensor], outputs: [flat], attributes: { axis: 1 } }),
      ),
      buildNode('Concat', { inputs: flats.map(({ flat }) => flat), outputs: [TRUNK], attributes: { axis: 1 } }),
    ],
    output: [valueInfo(TRUNK, ELEMENT.float32, ['N', trunkDimensions(cut)])],
  };
  return { ...model, graph };
}

/**
 * The backbone behind the cut. Inputs: the tensor of the cut, what is handed through, each `[N, d]`, and the
 * weights; output: the features.
 * @param options weights: dimensions of the constants that become inputs
 */
export function topModel(
  model: Model,
  { cut, features, weights }: { cut: BackboneCut; features: string; weights: Map<string, number[]> },
): Model {
  const tensors = tensorsOf(cut);
  const names = tensors.map(({ tensor }) => tensor);
  const { nodes, reads } = topNodes(model.graph!, { cut: names, features });
  const inputs = new Set([...names, ...weights.keys()]);
  const needed = pruneGraph(
    model.graph!,
    reads.filter((name) => !inputs.has(name)),
  );
  const graph: Graph = {
    ...needed,
    node: [...needed.node!, ...nodes],
    input: [
      ...tensors.map(({ tensor, dims }) => valueInfo(tensor, ELEMENT.float32, ['N', ...dims])),
      ...[...weights].map(([name, dims]) => valueInfo(name, ELEMENT.float32, dims)),
    ],
    output: model.graph!.output!.filter(({ name }) => name === features),
  };
  return { ...model, graph };
}
