import { buildNode, valueInfo } from '../../../onnx/build-node.js';
import type { Level } from '../../../onnx/find-levels.js';
import type { ImageInput } from '../../../onnx/image-input.js';
import { ELEMENT, type Graph, type Model } from '../../../onnx/model-proto.js';
import { pruneGraph } from '../../../onnx/prune-graph.js';
import { renameTensors, tensorNames } from '../../../onnx/rename-tensors.js';
import { type Preset, preprocessing } from './preprocessing.js';

/** Names of a backbone's input and outputs; its maps are `map_1`, `map_2`, … */
export const IMAGES = 'images';
export const FEATURES = 'features';
const RESERVED = /^(images|features|probabilities|map_\d+|graft_(?!reshape\/).*)$/;

/** What a backbone's features are made of. */
export interface FeatureParts {
  /** Maps that are pooled, shallow first. */
  levels: Level[];
  /** A tensor taken as it is, `[N, D]` or `[N, D, 1, 1]`, behind the pooled ones. */
  vector: { name: string; dimensions: number } | undefined;
}

/**
 * Names that a backbone keeps for itself: what an imported file calls so gets another name first.
 * @returns the new name of each tensor that must change.
 */
export function reservedNames(graph: Graph): Map<string, string> {
  const names = tensorNames(graph);
  const changes = new Map<string, string>();
  for (const name of names) {
    if (!RESERVED.test(name)) continue;
    let other = `original/${name}`;
    while (names.has(other)) other = `original/${other}`;
    changes.set(name, other);
  }
  return changes;
}

/**
 * Make a backbone of a network: pre-processing in front, everything behind the features cut off, the maps pooled side by
 * side. Input `images` uint8 `[N, H, W, 3]`; outputs `features` `[N, D]` and, when the features are nothing but pooled
 * maps, `map_1` … float32 `[N, C, h, w]`.
 */
export function backboneGraph(
  graph: Graph,
  { input, preset, parts }: { input: ImageInput; preset: Preset; parts: FeatureParts },
): Graph {
  const { levels, vector } = parts;
  const pruned = pruneGraph(graph, [...levels.map(({ name }) => name), ...(vector ? [vector.name] : [])]);
  const maps = levels.map((level, i) => ({ ...level, map: `map_${i + 1}` }));
  const tail = maps.flatMap(({ layout, name, map }) => [
    // A map that already is [N, C, h, w] is only renamed (below): a copy would cost time in every pass.
    ...(layout === 'nhwc'
      ? [buildNode('Transpose', { inputs: [name], outputs: [map], attributes: { perm: [0, 3, 1, 2] } })]
      : []),
    buildNode('GlobalAveragePool', { inputs: [map], outputs: [`graft_pool/${map}`] }),
    buildNode('Flatten', { inputs: [`graft_pool/${map}`], outputs: [`graft_flat/${map}`], attributes: { axis: 1 } }),
  ]);
  const pooled = maps.map(({ map }) => `graft_flat/${map}`);
  if (vector) {
    tail.push(buildNode('Flatten', { inputs: [vector.name], outputs: ['graft_flat/vector'], attributes: { axis: 1 } }));
    pooled.push('graft_flat/vector');
  }
  tail.push(buildNode('Concat', { inputs: pooled, outputs: [FEATURES], attributes: { axis: 1 } }));
  const front = preprocessing(preset, { images: IMAGES, input });
  const nchw = maps.filter(({ layout }) => layout === 'nchw').map(({ name, map }) => [name, map] as const);
  const result = renameTensors(
    {
      ...pruned,
      node: [...front.nodes, ...pruned.node!, ...tail],
      initializer: [...front.constants, ...pruned.initializer!],
    },
    new Map(nchw),
  );
  const dimensions = levels.reduce((sum, { channels }) => sum + channels, vector?.dimensions ?? 0);
  result.input = [valueInfo(IMAGES, ELEMENT.uint8, ['N', input.height, input.width, 3])];
  result.output = [valueInfo(FEATURES, ELEMENT.float32, ['N', dimensions])];
  if (vector) return result;
  for (const { map, channels, height, width } of maps) {
    result.output.push(valueInfo(map, ELEMENT.float32, ['N', channels, height, width]));
  }
  return result;
}

/** The model around a backbone's graph. Version 4 of the format is the first in which constants need not be inputs. */
export function backboneModel(model: Model, graph: Graph): Model {
  const { opsetImport, functions, irVersion, producerName, producerVersion } = model;
  return {
    irVersion: Math.max(4, Number(irVersion ?? 0)),
    opsetImport,
    functions,
    producerName: 'graft',
    docString: producerName
      ? `Imported from a file made by ${producerName} ${producerVersion ?? ''}`.trim()
      : undefined,
    graph,
  };
}
