import type { Engine } from '../heads/engine.js';
import { seededRandom } from '../numbers/random.js';
import type { FloatConstant } from '../onnx/float-constant.js';
import { batchOf, lookOf, topFeatures } from './fit-network.js';
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
  const network = new TopNetwork(engine, program, randomTopWeights(program, seededRandom(seed, 'random top')));
  try {
    calibrate(network, options);
    return { weights: network.weights(), x: await topFeatures({ ...options, network }) };
  } finally {
    network.dispose();
  }
}

/** Show the network some of the examples, evenly apart, so that its numbers have a good size in every layer. */
function calibrate(
  network: TopNetwork,
  { read, dimensions, rows }: { read: (row: number) => Float32Array; dimensions: number; rows: number },
): void {
  const count = Math.min(rows, lookOf(network));
  const seen = Int32Array.from({ length: count }, (_, i) => Math.floor((i * rows) / count));
  network.calibrate(batchOf({ read, dimensions }, seen), count);
}
