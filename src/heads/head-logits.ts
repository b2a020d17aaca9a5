import type { Tensor2D } from '@tensorflow/tfjs-core';
import { type Features, rowOf } from '../numbers/features.js';
import { addRowTimes } from '../numbers/rows.js';
import type { Engine } from './engine.js';
import type { DenseLayer } from './head.js';

/** Rows that are copied at once. */
const CHUNK_ROWS = 1024;

/**
 * Scores before the softmax, of many examples at once, on the engine; sparse rows meet the first layer before it.
 * @param options rows: which of the features
 * @returns float32 `[rows, K]`
 */
export function headLogits(options: {
  engine: Engine;
  layers: DenseLayer[];
  features: Features;
  rows: ArrayLike<number>;
}): Float32Array {
  const { engine, layers, features, rows } = options;
  const { tf } = engine;
  const sparse = features.kind === 'sparse';
  const [columns, classes] = [sparse ? layers[0]!.units : features.columns, layers.at(-1)!.units];
  const out = new Float32Array(rows.length * classes);
  const weights = layers.map(({ inputs, units, kernel, bias }, index) =>
    sparse && index === 0 ? undefined : { kernel: tf.tensor2d(kernel, [inputs, units]), bias: tf.tensor1d(bias) },
  );
  try {
    for (let start = 0; start < rows.length; start += CHUNK_ROWS) {
      const count = Math.min(CHUNK_ROWS, rows.length - start);
      const part = new Float32Array(count * columns);
      for (let i = 0; i < count; i += 1) {
        const place = part.subarray(i * columns, (i + 1) * columns);
        const row = rowOf(features, rows[start + i]!);
        if (row instanceof Float32Array) place.set(row);
        else {
          place.set(layers[0]!.bias);
          addRowTimes(place, row, layers[0]!.kernel, columns);
        }
      }
      const logits = tf.tidy(() => {
        let values = tf.tensor2d(part, [count, columns]);
        for (const [index, layer] of weights.entries()) {
          if (layer) values = tf.add(tf.matMul(values, layer.kernel), layer.bias) as Tensor2D;
          if (layers[index]!.activation === 'relu') values = tf.relu(values);
        }
        return values.dataSync() as Float32Array;
      });
      out.set(logits, start * classes);
    }
    return out;
  } finally {
    for (const layer of weights) if (layer) tf.dispose([layer.kernel, layer.bias]);
  }
}
