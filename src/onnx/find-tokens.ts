import type { Level } from './level.js';
import { type GraphIndex, imageInputsOf, mapSize } from './graph-index.js';
import type { GraphNode } from './model-proto.js';

/** How the tokens `[N, T, C]` of a transformer lie: some of the whole image first (class token, registers), then the patches. */
export interface TokenGrid {
  /** Tokens before the patches. */
  prefix: number;
  height: number;
  width: number;
}

/** Class token, registers, and what distilled networks have besides. */
const MAX_PREFIX = 32;

/** Where a layer adds what it makes of tokens to the tokens. */
export function joinsTokens(node: GraphNode, index: GraphIndex): boolean {
  const inputs = imageInputsOf(node, index).map((name) => index.shapes.get(name)!);
  return node.opType === 'Add' && inputs.length === 2 && inputs[0]!.length >= 3 && `${inputs[0]}` === `${inputs[1]}`;
}

/**
 * The grid of patches that a tensor `[N, T, C]` has a token for each of: the last map above it that has as many places, or
 * a few less. Undefined where there is none.
 */
export function gridOf(name: string, index: GraphIndex): TokenGrid | undefined {
  const [, tokens = 0, channels = 0, ...more] = index.shapes.get(name) ?? [];
  if (tokens < 2 || channels < 2 || more.length > 0) return undefined;
  let found: TokenGrid | undefined;
  for (const node of index.graph.node ?? []) {
    const output = node.output?.[0] ?? '';
    if (output === name) break;
    const size = node.opType === 'Conv' ? mapSize(output, index) : undefined;
    const prefix = tokens - (size ? size.height * size.width : 0);
    if (size && prefix >= 0 && prefix <= MAX_PREFIX && size.height * size.width > 1) {
      found = { prefix, height: size.height, width: size.width };
    }
  }
  return found;
}

/** Tokens as a level of features: their patches are the places of a map. */
export function tokensAt(name: string, index: GraphIndex): Level | undefined {
  const grid = gridOf(name, index);
  return grid && { name, layout: 'tokens', channels: index.shapes.get(name)![2]!, ...grid };
}

/**
 * The ends of a transformer's blocks, shallow first: of the additions, those behind the dense layers. Each block has two,
 * the first behind the attention.
 */
export function tokenBlocks(index: GraphIndex, before: string): Level[] {
  const joins: Level[] = [];
  for (const node of index.graph.node ?? []) {
    const output = node.output?.[0] ?? '';
    if (output === before) break;
    const level = joinsTokens(node, index) ? tokensAt(output, index) : undefined;
    if (level) joins.push(level);
  }
  return joins.length % 2 === 0 ? joins.filter((_, i) => i % 2 === 1) : joins;
}
