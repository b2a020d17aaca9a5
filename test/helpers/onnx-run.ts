import { InferenceSession, Tensor } from '../../src/onnx/runtime.js';

/**
 * Run a model on one input; the outputs by name, as flat arrays with their dimensions.
 * @param options optimize: false where the model is what others are compared with: not every optimization keeps the answer
 */
export async function runOnnx(
  model: Uint8Array,
  input: { data: Uint8Array | Float32Array; dims: number[] },
  { optimize = true }: { optimize?: boolean } = {},
): Promise<Record<string, { data: Float32Array; dims: readonly number[] }>> {
  const session = await InferenceSession.create(model, {
    logSeverityLevel: 4,
    intraOpNumThreads: 1,
    graphOptimizationLevel: optimize ? 'all' : 'disabled',
  });
  try {
    const tensor =
      input.data instanceof Uint8Array
        ? new Tensor('uint8', input.data, input.dims)
        : new Tensor('float32', input.data, input.dims);
    const results = await session.run({ [session.inputNames[0]!]: tensor });
    return Object.fromEntries(
      Object.entries(results).map(([name, { data, dims }]) => [name, { data: data as Float32Array, dims }]),
    );
  } finally {
    await session.release();
  }
}

/** Largest difference of two arrays, relative to the largest value of the second. */
export function relativeDifference(actual: Float32Array, expected: Float32Array): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  let difference = 0;
  let scale = 0;
  for (const [i, value] of expected.entries()) {
    difference = Math.max(difference, Math.abs(value - actual[i]!));
    scale = Math.max(scale, Math.abs(value));
  }
  return difference / scale;
}
