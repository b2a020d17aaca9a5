import type { Engine } from '../heads/engine.js';
import { seededRandom } from '../numbers/random.js';
import type { FloatConstant } from '../onnx/float-constant.js';
import { topFeatures } from './fit-network.js';
import { TopNetwork } from './network.js';
import type { TopProgram } from './program.js';
import { randomTopWeights } from './random-weights.js';

/**
 * A top that starts at random weights.
 * @returns its weights, and what features are through it, float32 `[rows, features]`
 */
export async function randomStart(options: {
  engine: Engine;
  program: TopProgram;
  read: (row: number) => Float32Array;
  /** Of what the trunk answers. */
  dimensions: number;
  rows: number;
  features: number;
  seed: number;
}): Promise<{ weights: Map<string, FloatConstant>; x: Float32Array }> {
  const { engine, program, seed } = options;
  const weights = randomTopWeights(program, seededRandom(seed, 'random top'));
  const network = new TopNetwork(engine, program, weights);
  try {
    return { weights, x: await topFeatures({ ...options, network }) };
  } finally {
    network.dispose();
  }
}
