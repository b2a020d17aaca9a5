import { createHash } from 'node:crypto';
import { AppError } from '../errors.js';
import type { FloatConstant } from '../onnx/float-constant.js';

/** Weights of a model's top, by the names that they have in the backbone's graph. */
export interface TopWeights {
  /** SHA-256 of the weights: equal keys, equal tops. */
  key: string;
  weights: Map<string, FloatConstant>;
}

/** Bytes that a top takes: here, and once more where it runs. */
export function topBytes({ weights }: TopWeights): number {
  return [...weights.values()].reduce((sum, { values }) => sum + 2 * values.byteLength, 0);
}

/** A top as files: names and dimensions as JSON text, the values one after another as float32, little-endian. */
export function writeTopWeights(weights: Map<string, FloatConstant>): { index: string; weights: Uint8Array } {
  const parts = [...weights.values()].map(({ values }) =>
    Buffer.from(values.buffer, values.byteOffset, values.byteLength),
  );
  return {
    index: JSON.stringify([...weights].map(([name, { dims }]) => ({ name, dims }))),
    weights: Buffer.concat(parts),
  };
}

/** The top of a version, from its files. @throws AppError `version_damaged` */
export async function readTopFiles(read: (path: string) => Promise<Buffer>): Promise<TopWeights> {
  const [index, weights] = await Promise.all([read('top/weights.json'), read('top/weights.bin')]);
  return readTopWeights({ index: index.toString('utf8'), weights });
}

/** @throws AppError `version_damaged` for what `writeTopWeights` did not write */
export function readTopWeights(files: { index: string; weights: Uint8Array }): TopWeights {
  try {
    const weights = new Map<string, FloatConstant>();
    let offset = 0;
    for (const { name, dims } of JSON.parse(files.index) as { name: string; dims: number[] }[]) {
      const bytes = 4 * dims.reduce((product, d) => product * d, 1);
      const part = Uint8Array.prototype.slice.call(files.weights, offset, offset + bytes);
      if (part.length !== bytes) throw new RangeError('the weights are too short');
      weights.set(name, { dims, values: new Float32Array(part.buffer) });
      offset += bytes;
    }
    if (offset !== files.weights.length) throw new RangeError('the weights have another size');
    return { key: createHash('sha256').update(files.index).update(files.weights).digest('hex'), weights };
  } catch (error) {
    throw new AppError('version_damaged', 'The stored top is not one that Graft wrote.', { cause: error });
  }
}
