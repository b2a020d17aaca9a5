import { type GraphIndex, imageInputsOf, mapSize } from './graph-index.js';
import type { Layout } from './image-input.js';
import { pruneGraph } from './prune-graph.js';

/** A spatial map inside a network. */
export interface Level {
  name: string;
  layout: Layout;
  channels: number;
  height: number;
  width: number;
}

/** What may follow the end of a block and still belong to it. */
const AFTER_JOIN = new Set(['BatchNormalization', 'Clip', 'HardSwish', 'LeakyRelu', 'PRelu', 'Relu']);
/** What can be the last of a stage in a network without branches. */
const LAYERS = new Set([...AFTER_JOIN, 'AveragePool', 'Conv', 'Elu', 'LRN', 'MaxPool', 'Mul', 'Selu']);

/**
 * The ends of a network's stages below its top, shallow first: at most `count`, the deepest ones.
 *
 * Networks are built of blocks whose branches meet in an addition or a concatenation; the activation that follows belongs
 * to the block. Blocks in a row with the same channels and size are a stage, and its last block is its end. A stage of
 * one block counts only where it is the last of its size (in DenseNet every block adds channels). At sizes without
 * blocks (VGG, MobileNet v1) the last layer counts. Ends of the top's own channels and size are left out.
 */
export function findLevels(index: GraphIndex, { top, count }: { top: string; count: number }): Level[] {
  if (count <= 0) return [];
  const topMap = mapAt(top, index);
  const blocks: Level[] = [];
  const layers = new Map<string, Level>();
  for (const node of pruneGraph(index.graph, [top]).node!) {
    const name = node.output?.[0] ?? '';
    const map = mapAt(name, index);
    if (!map || map.height * map.width < 4) continue;
    const inputs = imageInputsOf(node, index);
    const sum = node.opType === 'Add' || node.opType === 'Sum';
    const joins = (sum && inputs.every((input) => isLike(mapAt(input, index), map))) || node.opType === 'Concat';
    if (joins && inputs.length > 1) blocks.push(activated(map, index));
    else if (LAYERS.has(node.opType ?? '')) layers.set(sizeOf(map), map);
  }
  const stages: { end: Level; blocks: number }[] = [];
  for (const block of blocks) {
    const last = stages.at(-1);
    if (last && isLike(last.end, block)) stages[stages.length - 1] = { end: block, blocks: last.blocks + 1 };
    else stages.push({ end: block, blocks: 1 });
  }
  const lastOfSize = new Map(stages.map(({ end }) => [sizeOf(end), end]));
  const order = new Map((index.graph.node ?? []).map((node, i) => [node.output?.[0] ?? '', i]));
  const topSize = topMap && topMap.height * topMap.width > 1 ? sizeOf(topMap) : undefined;
  return [
    ...stages.filter(({ end, blocks }) => blocks > 1 || lastOfSize.get(sizeOf(end)) === end).map(({ end }) => end),
    ...[...layers.values()].filter((layer) => !lastOfSize.has(sizeOf(layer)) && sizeOf(layer) !== topSize),
  ]
    .filter((end) => !isLike(end, topMap))
    .sort((a, b) => order.get(a.name)! - order.get(b.name)!)
    .slice(-count);
}

/** A tensor as a map; undefined where it is not known to be one. */
export function mapAt(name: string, index: GraphIndex): Level | undefined {
  const size = mapSize(name, index);
  return size && { name, layout: index.layouts.get(name)!, ...size };
}

/** Follow the only reader of a block's end while it activates or normalises it. */
function activated(block: Level, index: GraphIndex): Level {
  let end = block;
  for (;;) {
    const readers = index.readers.get(end.name) ?? [];
    const next = readers.length === 1 && AFTER_JOIN.has(readers[0]!.opType ?? '') ? readers[0]!.output?.[0] : undefined;
    const map = next === undefined ? undefined : mapAt(next, index);
    if (!map) return end;
    end = map;
  }
}

function sizeOf({ height, width }: Level): string {
  return `${height}×${width}`;
}

function isLike(a: Level | undefined, b: Level | undefined): boolean {
  return a !== undefined && b !== undefined && a.channels === b.channels && sizeOf(a) === sizeOf(b);
}
