/** maps/ says where in an image a score comes from, as numbers and as pictures. It knows maps and heads, and no session. */
import type { DenseLayer } from '../../../heads/head.js';
import { resample } from './resample.js';

/** A spatial map of one image. */
export interface FeatureMap {
  channels: number;
  height: number;
  width: number;
  /** float32 `[channels, height, width]` */
  values: Float32Array;
}

/** Where in an image the score of one class comes from. */
export interface ClassActivationMap {
  width: number;
  height: number;
  /** `[height, width]`; their mean and `bias` add up to `logit`. */
  values: Float32Array;
  bias: number;
  /** Score of the class before the softmax. */
  logit: number;
}

/**
 * The class activation map of a linear head (Zhou et al., Learning Deep Features for Discriminative Localization, 2016).
 * Features are means of maps, so the score is the mean over positions of Σ_c w_c · map_c(x, y), plus the bias: the map is
 * the score itself, spread out, and no estimate. Of several depths, each gives a map of its own size; the coarser ones are
 * scaled to the finest in such a way that their means stay.
 * @param maps the maps whose means, side by side, are the features of the layer
 * @param layer from features to scores
 */
export function classActivationMap(maps: FeatureMap[], layer: DenseLayer, classIndex: number): ClassActivationMap {
  const width = Math.max(...maps.map((map) => map.width));
  const height = Math.max(...maps.map((map) => map.height));
  const values = new Float32Array(width * height);
  const bias = layer.bias[classIndex]!;
  let first = 0;
  let sum = 0;
  for (const map of maps) {
    const level = weightedSum(map, layer, classIndex, first);
    const mean = meanOf(level);
    const scaled = resample(level, map, { width, height });
    // Interpolation moves the mean a little where one size is no multiple of the other.
    const shift = mean - meanOf(scaled);
    for (let i = 0; i < values.length; i += 1) values[i]! += scaled[i]! + shift;
    sum += mean;
    first += map.channels;
  }
  return { width, height, values, bias, logit: sum + bias };
}

/** Σ_c w_c · map_c, `[height, width]`; w from row `first` of the kernel on. */
function weightedSum(map: FeatureMap, { kernel, units }: DenseLayer, classIndex: number, first: number): Float64Array {
  const size = map.width * map.height;
  const out = new Float64Array(size);
  for (let c = 0; c < map.channels; c += 1) {
    const weight = kernel[(first + c) * units + classIndex]!;
    for (let i = 0; i < size; i += 1) out[i]! += weight * map.values[c * size + i]!;
  }
  return out;
}

function meanOf(values: Float64Array): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}
