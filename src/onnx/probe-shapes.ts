import { buildNode } from './build-node.js';
import type { ImageInput } from './image-input.js';
import { ELEMENT, type Graph, type Model } from './model-proto.js';
import { namesReadBy, pruneGraph } from './prune-graph.js';
import { type RunInput, type RunOutput, runModel } from './run-model.js';

/** Begins the names of the outputs that hold shapes. */
const PREFIX = 'graft_shape/';
/** Operators whose results are not one tensor each, and have no shape. */
const NO_TENSOR = /Sequence|Optional|Map|Vectorizer/;

/**
 * The dimensions of every tensor that depends on the image, found by running the model once on a blank one: what files
 * say about shapes may be missing or wrong. Each tensor gets a `Shape` node, so that nothing large is kept.
 * @param options pixels: the input is uint8, as a backbone's, not float32
 * @throws AppError `backbone_invalid` when the model does not run.
 */
export async function probeShapes(
  model: Model,
  { input, batch, stage, pixels = false }: { input: ImageInput; batch: number; stage: string; pixels?: boolean },
): Promise<Map<string, number[]>> {
  const graph = model.graph!;
  const names = imageDependent(graph, input.name);
  const probes = names.map((name, i) => buildNode('Shape', { inputs: [name], outputs: [`${PREFIX}${i}`] }));
  const probed: Graph = {
    ...graph,
    node: [...graph.node!, ...probes],
    output: names.map((_, i) => ({ name: `${PREFIX}${i}`, type: { tensorType: { elemType: ELEMENT.int64 } } })),
  };
  const [results] = await runModel({ ...model, graph: probed }, { inputs: [blank(input, batch, pixels)], stage });
  return new Map(names.map((name, i) => [name, Array.from(results![`${PREFIX}${i}`]!.data, Number)]));
}

/** The values of tensors that depend on no pixel, by name. @throws AppError `backbone_invalid` */
export async function probeValues(
  model: Model,
  options: { input: ImageInput; names: string[]; batch: number; stage: string; pixels: boolean },
): Promise<Map<string, RunOutput>> {
  const { input, names, batch, stage, pixels } = options;
  const pruned = { ...pruneGraph(model.graph!, names), output: names.map((name) => ({ name })) };
  const [results] = await runModel({ ...model, graph: pruned }, { inputs: [blank(input, batch, pixels)], stage });
  return new Map(names.map((name) => [name, results![name]!]));
}

/** Black images. */
function blank(input: ImageInput, batch: number, pixels: boolean): RunInput {
  const values = batch * 3 * input.height * input.width;
  return { data: pixels ? new Uint8Array(values) : new Float32Array(values), dims: dimsOfInput(input, batch) };
}

/** The shape of the input as the network wants it, for `batch` images. */
export function dimsOfInput({ layout, height, width }: ImageInput, batch: number): number[] {
  return layout === 'nchw' ? [batch, 3, height, width] : [batch, height, width, 3];
}

/** The tensors computed from the pixels. What is computed from a shape alone is a number, and does not count. */
function imageDependent(graph: Graph, input: string): string[] {
  const dependent = new Set([input]);
  for (const node of graph.node ?? []) {
    if (node.opType === 'Shape' || node.opType === 'Size' || NO_TENSOR.test(node.opType ?? '')) continue;
    if (!namesReadBy(node).some((name) => dependent.has(name))) continue;
    for (const name of node.output ?? []) if (name !== '') dependent.add(name);
  }
  return [...dependent];
}
