import type { Engine } from '../heads/engine.js';
import type { DenseLayer } from '../heads/head.js';
import { headLogits } from '../heads/head-logits.js';
import type { Scored } from '../numbers/scores.js';
import type { Samples } from './choose-head/samples.js';

/** Scores of examples by a head that takes their features. */
export function scoreExamples(options: {
  engine: Engine;
  layers: DenseLayer[];
  samples: Samples;
  examples: number[];
}): Scored {
  const { engine, layers, samples, examples } = options;
  return {
    logits: headLogits({ engine, layers, features: samples.features, rows: examples }),
    y: Int32Array.from(examples, (example) => samples.y[example]!),
    classes: samples.labels.length,
  };
}
