import type { Neighbours } from './neighbours.js';

export interface Outlier {
  image: number;
  /** Its distance to its neighbours, as a multiple of the usual one. */
  distance: number;
}

/** The neighbour whose distance counts: the first few may be copies of an outlier. */
const PLACE = 4;
/** Deviations from the median, as in Iglewicz and Hoaglin, How to Detect and Handle Outliers, 1993. */
const MOST_DEVIATIONS = 3.5;
/** Fewer images do not say what is usual. */
const LEAST_IMAGES = 30;

/** Images that are far from everything, the farthest first: robust z-scores of the distance to the fifth neighbour. */
export function outliers({ count, distance }: Neighbours): Outlier[] {
  const images = count > 0 ? distance.length / count : 0;
  if (images < LEAST_IMAGES) return [];
  const far = Float64Array.from({ length: images }, (_, image) => Math.sqrt(distance[image * count + PLACE]!));
  const usual = median(far);
  const deviation = 1.4826 * median(far.map((value) => Math.abs(value - usual)));
  return [...far.keys()]
    .filter((image) => far[image]! - usual > MOST_DEVIATIONS * deviation)
    .sort((a, b) => far[b]! - far[a]!)
    .map((image) => ({ image, distance: far[image]! / usual }));
}

function median(values: Float64Array): number {
  const sorted = values.toSorted();
  return sorted[sorted.length >> 1]!;
}
