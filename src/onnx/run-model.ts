import { invalid } from './check-model.js';
import { encodeModel, type Model } from './model-proto.js';
import { InferenceSession, Tensor } from './runtime.js';

/** A result: numbers row by row. Integers of 64 bits come as bigint. */
export interface RunOutput {
  type: string;
  dims: readonly number[];
  data: ArrayLike<number | bigint>;
}

/** What goes into a model's only input. */
export interface RunInput {
  data: Uint8Array | Float32Array;
  dims: number[];
}

/**
 * Load a model into ONNX Runtime, run it on each input in turn, and let it go.
 * @param stage what this is a test of; begins the sentence when it fails.
 * @throws AppError `backbone_invalid` when it does not load or does not run.
 */
export async function runModel(
  model: Model,
  { inputs, stage, optimize = false }: { inputs: RunInput[]; stage: string; optimize?: boolean },
): Promise<Record<string, RunOutput>[]> {
  let session: InferenceSession | undefined;
  try {
    session = await InferenceSession.create(encodeModel(model), {
      executionProviders: ['cpu'],
      graphOptimizationLevel: optimize ? 'all' : 'disabled',
      enableCpuMemArena: false,
      logSeverityLevel: 4,
    });
    const results: Record<string, RunOutput>[] = [];
    for (const { data, dims } of inputs) {
      const tensor = data instanceof Uint8Array ? new Tensor('uint8', data, dims) : new Tensor('float32', data, dims);
      results.push((await session.run({ [session.inputNames[0]!]: tensor })) as unknown as Record<string, RunOutput>);
    }
    return results;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw invalid(`${stage}: ${firstLine(reason)}`, cause);
  } finally {
    await session?.release();
  }
}

/** The first line of a message of the runtime, short enough to read. */
function firstLine(message: string): string {
  const line = message.split('\n')[0]!.trim();
  return line.length > 300 ? `${line.slice(0, 300)}…` : line;
}
