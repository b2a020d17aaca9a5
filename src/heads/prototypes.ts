import { lengthOf } from '../numbers/dense.js';
import { type Features, rowOf } from '../numbers/features.js';
import { addRow, squaredRowLength } from '../numbers/rows.js';
import { usualSquaredLength } from '../numbers/standardise.js';
import type { DenseLayer } from './head.js';

/** What an example scores, before calibration, that points exactly at a prototype and is as long as the average. */
const SCALE = 10;

/**
 * Nearest class mean by cosine, for a handful of examples per class: each class is the direction of the mean of its rows'
 * directions, as seen from the mean of all rows (Snell et al. 2017, Prototypical networks; Wang et al. 2019, SimpleShot);
 * sparse rows, which are not centred, are seen from 0. The length of a row itself is the same for all classes and changes no
 * order, so this is a linear layer.
 * @param options features: standardised; rowWeights: `[N]`, 0 leaves a row out
 */
export function prototypes(options: {
  features: Features;
  y: Int32Array;
  classes: number;
  rowWeights: Float32Array;
}): DenseLayer {
  const { features, y, classes: K, rowWeights } = options;
  const D = features.columns;
  const sums = new Float64Array(K * D);
  for (const [index, weight] of rowWeights.entries()) {
    if (weight === 0) continue;
    const row = rowOf(features, index);
    const length = Math.max(Math.sqrt(squaredRowLength(row)), 1e-12); // features that are all 0 point nowhere
    addRow(sums.subarray(y[index]! * D, (y[index]! + 1) * D), row, weight / length);
  }
  const kernel = new Float32Array(D * K);
  for (let k = 0; k < K; k += 1) {
    const mean = sums.subarray(k * D, (k + 1) * D);
    const scale = SCALE / Math.sqrt(usualSquaredLength(features)) / lengthOf(mean);
    for (let d = 0; d < D; d += 1) kernel[d * K + k] = scale * mean[d]!;
  }
  return { inputs: D, units: K, kernel, bias: new Float32Array(K), activation: 'softmax' };
}
