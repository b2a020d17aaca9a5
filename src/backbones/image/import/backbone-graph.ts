import { buildNode, int64Tensor, valueInfo } from '../../../onnx/build-node.js';
import type { Level } from '../../../onnx/level.js';
import type { ImageInput } from '../../../onnx/image-input.js';
import { ELEMENT, type Graph, type GraphNode, type Model, type Tensor } from '../../../onnx/model-proto.js';
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
  /** A tensor taken as it is, `[N, D]` or `[N, D, 1, 1]`, behind the pooled ones; of tokens `[N, T, D]`, the first. */
  vector: { name: string; dimensions: number; firstToken?: boolean } | undefined;
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
 * side. Input `images` uint8 `[N, H, W, 3]`; outputs `features` `[N, D]` and `map_1` … float32 `[N, C, h, w]`, whose means they
 * are. What is no mean of a map is a map of one place.
 */
export function backboneGraph(
  graph: Graph,
  { input, preset, parts }: { input: ImageInput; preset: Preset; parts: FeatureParts },
): Graph {
  const { levels, vector } = parts;
  const pruned = pruneGraph(graph, [...levels.map(({ name }) => name), ...(vector ? [vector.name] : [])]);
  const maps = levels.map((level, i) => ({ ...level, map: `map_${i + 1}` }));
  const constants: Tensor[] = [];
  const tail = maps.flatMap((level) => [
    ...asMap(level, constants),
    buildNode('GlobalAveragePool', { inputs: [level.map], outputs: [`graft_pool/${level.map}`] }),
    buildNode('Flatten', {
      inputs: [`graft_pool/${level.map}`],
      outputs: [`graft_flat/${level.map}`],
      attributes: { axis: 1 },
    }),
  ]);
  const pooled = maps.map(({ map }) => `graft_flat/${map}`);
  if (vector) {
    constants.push(int64Tensor('graft_vector/dims', [0, vector.dimensions, 1, 1]));
    const [flat, map] = ['graft_flat/vector', `map_${maps.length + 1}`];
    if (vector.firstToken) {
      constants.push(int64Tensor('graft_vector/first', [0]), int64Tensor('graft_vector/second', [1]));
      const inputs = [vector.name, 'graft_vector/first', 'graft_vector/second', 'graft_vector/second'];
      tail.push(buildNode('Slice', { inputs, outputs: ['graft_vector/token'] }));
    }
    const from = vector.firstToken ? 'graft_vector/token' : vector.name;
    tail.push(buildNode('Flatten', { inputs: [from], outputs: [flat], attributes: { axis: 1 } }));
    tail.push(buildNode('Reshape', { inputs: [flat, 'graft_vector/dims'], outputs: [map] }));
    pooled.push(flat);
  }
  tail.push(buildNode('Concat', { inputs: pooled, outputs: [FEATURES], attributes: { axis: 1 } }));
  const front = preprocessing(preset, { images: IMAGES, input });
  const nchw = maps.filter(({ layout }) => layout === 'nchw').map(({ name, map }) => [name, map] as const);
  const result = renameTensors(
    {
      ...pruned,
      node: [...front.nodes, ...pruned.node!, ...tail],
      initializer: [...front.constants, ...constants, ...pruned.initializer!],
    },
    new Map(nchw),
  );
  const dimensions = levels.reduce((sum, { channels }) => sum + channels, vector?.dimensions ?? 0);
  result.input = [valueInfo(IMAGES, ELEMENT.uint8, ['N', input.height, input.width, 3])];
  result.output = [valueInfo(FEATURES, ELEMENT.float32, ['N', dimensions])];
  for (const { map, channels, height, width } of maps) {
    result.output.push(valueInfo(map, ELEMENT.float32, ['N', channels, height, width]));
  }
  if (vector) {
    result.output.push(valueInfo(`map_${maps.length + 1}`, ELEMENT.float32, ['N', vector.dimensions, 1, 1]));
  }
  return result;
}

/** The nodes that make a level `[N, C, h, w]`. One that already is so gets another name: a copy would cost time in every pass. */
function asMap(level: Level & { map: string }, constants: Tensor[]): GraphNode[] {
  const { name, map, layout, channels, height, width, prefix = 0 } = level;
  if (layout === 'nchw') return [];
  if (layout === 'nhwc') {
    return [buildNode('Transpose', { inputs: [name], outputs: [map], attributes: { perm: [0, 3, 1, 2] } })];
  }
  const own = (part: string) => `graft_tokens/${map}/${part}`;
  const places = height * width;
  constants.push(
    int64Tensor(own('from'), [prefix]),
    int64Tensor(own('to'), [prefix + places]),
    int64Tensor(own('axis'), [1]),
    int64Tensor(own('dims'), [0, channels, height, width]),
  );
  return [
    buildNode('Slice', { inputs: [name, own('from'), own('to'), own('axis')], outputs: [own('patches')] }),
    buildNode('Transpose', { inputs: [own('patches')], outputs: [own('turned')], attributes: { perm: [0, 2, 1] } }),
    buildNode('Reshape', { inputs: [own('turned'), own('dims')], outputs: [map] }),
  ];
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
