import type { DenseLayer } from '../../heads/head.js';
import { headLogits } from '../../heads/head-logits.js';
import { onlyDense } from '../../numbers/features.js';
import { accuracy, fitTemperature, logLoss, type Scored } from '../../numbers/scores.js';
import { type FittedHead, type HeadOptions, heldOutRounds, rowWeights } from './head-fit.js';

/**
 * Before calibration an image that points exactly at a prototype, and is as long as the average, scores this much. Where
 * nothing can be held out it stays so.
 */
const SCALE = 10;

/**
 * Nearest class mean by cosine, for a handful of images per class: each class is the direction of the mean of its images'
 * directions, as seen from the mean of all images (Snell et al. 2017, Prototypical networks; Wang et al. 2019, SimpleShot).
 * The length of an image's own features is the same for all classes and changes no order, so the head is a linear layer.
 */
export async function fitPrototypes(options: HeadOptions): Promise<FittedHead> {
  const { engine, samples } = options;
  const { features, y } = samples;
  const K = samples.labels.length;
  const { held, rounds } = heldOutRounds(options);
  const place = new Map(held.map((image, index) => [image, index]));
  const scored: Scored = {
    logits: new Float32Array(held.length * K),
    y: Int32Array.from(held, (i) => y[i]!),
    classes: K,
  };
  for (const [round, part] of rounds.entries()) {
    const logits = headLogits({ engine, layers: [prototypes(options, part.fit)], features, rows: part.held });
    part.held.forEach((image, row) => {
      scored.logits.set(logits.subarray(row * K, (row + 1) * K), place.get(image)! * K);
    });
    options.onProgress((0.9 * (round + 1)) / rounds.length);
  }
  const layer = prototypes(options, options.finalFit);
  options.onProgress(1);
  return {
    kind: 'prototype',
    layers: [layer],
    temperature: held.length > 0 ? fitTemperature(scored) : 1,
    heldOut: held.length > 0 ? { ...scored, examples: held } : undefined,
    settings: { head: 'prototype' },
    candidates:
      held.length > 0
        ? [{ head: 'prototype', weight_decay: null, accuracy: accuracy(scored), log_loss: logLoss(scored) }]
        : [],
    curves: [],
  };
}

/** One column per class: `SCALE / √D` times the direction of its images. Standardised features are about √D long. */
function prototypes(options: HeadOptions, images: number[]): DenseLayer {
  const { y, labels } = options.samples;
  const { values: x, columns: D } = onlyDense(options.samples.features);
  const K = labels.length;
  const sums = new Float64Array(K * D);
  for (const [row, weight] of rowWeights(options, images).entries()) {
    if (weight === 0) continue;
    const features = x.subarray(row * D, (row + 1) * D);
    const share = weight / length(features);
    const from = y[row]! * D;
    for (let d = 0; d < D; d += 1) sums[from + d]! += share * features[d]!;
  }
  const kernel = new Float32Array(D * K);
  for (let k = 0; k < K; k += 1) {
    const mean = sums.subarray(k * D, (k + 1) * D);
    const scale = SCALE / Math.sqrt(D) / length(mean);
    for (let d = 0; d < D; d += 1) kernel[d * K + k] = scale * mean[d]!;
  }
  return { inputs: D, units: K, kernel, bias: new Float32Array(K), activation: 'softmax' };
}

/** Never 0: features that are all 0 point nowhere. */
function length(values: Float32Array | Float64Array): number {
  let square = 0;
  for (const value of values) square += value * value;
  return Math.max(Math.sqrt(square), 1e-12);
}
