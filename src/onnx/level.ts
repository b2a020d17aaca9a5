import { type GraphIndex, mapSize } from './graph-index.js';
import type { Layout } from './image-input.js';

/** A spatial map inside a network, or tokens of which each has its place in the image. */
export interface Level {
  name: string;
  layout: Layout | 'tokens';
  /** Of tokens: how many come before those of the patches. */
  prefix?: number;
  channels: number;
  height: number;
  width: number;
}

/** A tensor as a map; undefined where it is not known to be one. */
export function mapAt(name: string, index: GraphIndex): Level | undefined {
  const size = mapSize(name, index);
  return size && { name, layout: index.layouts.get(name)!, ...size };
}
