import type { Neighbours } from './neighbours.js';

export interface Outlier {
  example: number;
  /** Its distance to its neighbours, as a multiple of theirs to their own. */
  distance: number;
}

/** The neighbour whose distance counts: the first few may be copies of an outlier. */
const PLACE = 4;
/** Deviations from the median, as in Iglewicz and Hoaglin, How to Detect and Handle Outliers, 1993. */
const MAX_DEVIATIONS = 3.5;
/** Fewer examples do not say what is usual. */
const MIN_EXAMPLES = 30;

/**
 * Examples that are far from everything, the farthest first: robust z-scores of the local outlier factor (Breunig et al.,
 * LOF, 2000), in its simple form. Relative to what is near, because some classes lie dense and some do not: the plain
 * distance listed twice as many ordinary examples for as many foreign ones, and missed two thirds of those among cats and
 * dogs on MobileNetV2.
 */
export function outliers({ count, index, distance }: Neighbours): Outlier[] {
  const examples = count > 0 ? distance.length / count : 0;
  if (examples < MIN_EXAMPLES) return [];
  const far = Float64Array.from({ length: examples }, (_, example) => Math.sqrt(distance[example * count + PLACE]!));
  const factor = far.map((value, example) => {
    let around = 0;
    for (let place = 0; place < count; place += 1) around += far[index[example * count + place]!]! / count;
    return value / Math.max(1e-9, around);
  });
  const usual = median(factor);
  const deviation = 1.4826 * median(factor.map((value) => Math.abs(value - usual)));
  return [...factor.keys()]
    .filter((example) => factor[example]! - usual > MAX_DEVIATIONS * deviation)
    .sort((a, b) => factor[b]! - factor[a]!)
    .map((example) => ({ example, distance: factor[example]! }));
}

function median(values: Float64Array): number {
  const sorted = values.toSorted();
  return sorted[sorted.length >> 1]!;
}
