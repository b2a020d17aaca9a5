import { type GraphIndex, imageInputsOf } from './graph-index.js';
import { type Level, mapAt } from './level.js';
import type { GraphNode } from './model-proto.js';
import { pruneGraph } from './prune-graph.js';
import { intAttribute } from './read-node.js';
import { tokenBlocks } from './find-tokens.js';

/** What may follow the end of a block and still belong to it. */
const AFTER_JOIN = new Set(['BatchNormalization', 'Clip', 'HardSwish', 'LeakyRelu', 'PRelu', 'Relu']);
/** What can be the last of a stage in a network without branches. */
const LAYERS = new Set([...AFTER_JOIN, 'AveragePool', 'Conv', 'Elu', 'LRN', 'MaxPool', 'Mul', 'Selu']);

/** Largest side of a map that is worth pooling, px: a quarter of the input, or this. Larger ones know edges and colours. */
const SMALL_SIDE = 32;

/**
 * The ends of a network's stages below its top, shallow first: at most `count`, the deepest ones.
 *
 * Networks are built of blocks. A block ends where branches meet in an addition or a concatenation, with the activation
 * that follows, or in a convolution without activation that the next block reads (MobileNet v2, EfficientNet). Blocks in
 * a row with the same channels and size are a stage, and its last block is its end. A stage of one block counts only
 * where it is the last of its size (in DenseNet every block adds channels). In a network without blocks (VGG, MobileNet
 * v1) the last layer of each size counts. Ends of the top's own channels and size are left out. A transformer's blocks are
 * all alike: of them, as many as asked, evenly apart.
 */
export function findLevels(index: GraphIndex, { top, count }: { top: string; count: number }): Level[] {
  if (count <= 0) return [];
  const tokens = tokenBlocks(index, top);
  // The top of a transformer is its last tokens, normalised or pooled.
  if (tokens.length > 1) return evenly(tokens.slice(0, -1), count);
  const topMap = mapAt(top, index);
  const image = mapAt(index.graph.input?.[0]?.name ?? '', index);
  const largest = Math.max(SMALL_SIDE, Math.max(image?.height ?? 0, image?.width ?? 0) / 4);
  const { blocks, layers } = findBlocks(index, { top, largest });
  const lastOfSize = new Map(layers.map((layer) => [sizeOf(layer), layer]));
  const ends = blocks.length > 0 ? stageEnds(blocks) : [...lastOfSize.values()];
  const topSize = topMap && sizeOf(topMap);
  return ends.filter((end) => !isLike(end, topMap) && (blocks.length > 0 || sizeOf(end) !== topSize)).slice(-count);
}

/**
 * Ends of a network's blocks and outputs of its layers up to the tensor `top`, shallow first.
 * @param options largest: of a map's sides, px
 */
export function findBlocks(
  index: GraphIndex,
  { top, largest }: { top: string; largest: number },
): { blocks: Level[]; layers: Level[] } {
  const blocks: Level[] = [];
  const layers: Level[] = [];
  for (const node of pruneGraph(index.graph, [top]).node!) {
    const map = mapAt(node.output?.[0] ?? '', index);
    if (!map || map.height * map.width < 4 || Math.max(map.height, map.width) > largest) continue;
    if (joins(node, map, index)) blocks.push(activated(map, index));
    else if (isLinearBottleneck(node, map.name, index)) blocks.push(map);
    else if (LAYERS.has(node.opType ?? '')) layers.push(map);
  }
  return { blocks, layers };
}

/** `count` of a list, the last one among them, as far from one another as can be. */
function evenly<T>(list: T[], count: number): T[] {
  const taken = Math.min(count, list.length);
  return Array.from({ length: taken }, (_, i) => list[Math.round(((i + 1) * list.length) / taken) - 1]!);
}

/** The last block of each stage. */
function stageEnds(blocks: Level[]): Level[] {
  const stages: { end: Level; blocks: number }[] = [];
  for (const block of blocks) {
    const last = stages.at(-1);
    if (last && isLike(last.end, block)) stages[stages.length - 1] = { end: block, blocks: last.blocks + 1 };
    else stages.push({ end: block, blocks: 1 });
  }
  const lastOfSize = new Map(stages.map(({ end }) => [sizeOf(end), end]));
  return stages.filter(({ end, blocks }) => blocks > 1 || lastOfSize.get(sizeOf(end)) === end).map(({ end }) => end);
}

/** Whether a node brings branches of the network together: maps of one size added, or put side by side. */
function joins(node: GraphNode, map: Level, index: GraphIndex): boolean {
  const inputs = imageInputsOf(node, index);
  if (inputs.length < 2) return false;
  if (node.opType === 'Concat') return true;
  return (node.opType === 'Add' || node.opType === 'Sum') && inputs.every((name) => isLike(mapAt(name, index), map));
}

/** Whether a block ends here without activation: a convolution over all channels that the next convolution reads. */
function isLinearBottleneck(node: GraphNode, name: string, index: GraphIndex): boolean {
  const conv = node.opType === 'BatchNormalization' ? index.maker.get(node.input?.[0] ?? '') : node;
  if (conv?.opType !== 'Conv' || intAttribute(conv, 'group', 1) !== 1) return false;
  const readers = index.readers.get(name)?.map(({ opType }) => opType) ?? [];
  return readers.includes('Conv') && readers.every((opType) => opType === 'Conv' || opType === 'Add');
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
