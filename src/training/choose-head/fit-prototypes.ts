import { headLogits } from '../../heads/head-logits.js';
import { prototypes } from '../../heads/prototypes.js';
import { accuracy, fitTemperature, logLoss, type Scored } from '../../numbers/scores.js';
import type { FittedHead, HeadOptions } from './contract.js';
import { heldOutRounds } from './held-out-rounds.js';
import { rowWeights } from './row-weights.js';

/** Nearest class means; where nothing can be held out they stay uncalibrated. */
export async function fitPrototypes(options: HeadOptions): Promise<FittedHead> {
  const { engine, samples } = options;
  const { features, y } = samples;
  const K = samples.labels.length;
  const { held, rounds } = heldOutRounds(options);
  const layerOn = (examples: number[]) =>
    prototypes({ features, y, classes: K, rowWeights: rowWeights(options, examples) });
  const place = new Map(held.map((example, index) => [example, index]));
  const scored: Scored = {
    logits: new Float32Array(held.length * K),
    y: Int32Array.from(held, (i) => y[i]!),
    classes: K,
  };
  for (const [round, part] of rounds.entries()) {
    const logits = headLogits({ engine, layers: [layerOn(part.fit)], features, rows: part.held });
    part.held.forEach((example, row) => {
      scored.logits.set(logits.subarray(row * K, (row + 1) * K), place.get(example)! * K);
    });
    options.onProgress((0.9 * (round + 1)) / rounds.length);
  }
  const layer = layerOn(options.finalFit);
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
