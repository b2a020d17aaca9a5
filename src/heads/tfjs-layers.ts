/**
 * A head as TensorFlow.js layers files: `model.json` and `weights.bin`, as TensorFlow.js itself writes them. This is how
 * heads are stored, and the `tfjs` artifact.
 */
import type { io } from '@tensorflow/tfjs-core';
import { AppError } from '../errors.js';
import { loadEngine } from './engine.js';
import type { DenseLayer, Head } from './head.js';

export interface TfjsFiles {
  /** JSON text */
  model: string;
  weights: Uint8Array;
}

/** Written through TensorFlow.js, so that what it reads back is what it wrote. */
export async function writeTfjsLayers(head: Head): Promise<TfjsFiles> {
  const { tf } = await loadEngine();
  const layers = await import('@tensorflow/tfjs-layers');
  const model = layers.sequential({
    name: 'head', // or TensorFlow.js counts: sequential_1, sequential_2, … and equal heads differ
    layers: head.layers.map(({ inputs, units, activation }, index) =>
      layers.layers.dense({
        units,
        activation,
        name: `dense_${index + 1}`,
        ...(index === 0 && { inputShape: [inputs] }),
      }),
    ),
  });
  try {
    for (const [index, { inputs, units, kernel, bias }] of head.layers.entries()) {
      const weights = [tf.tensor2d(kernel, [inputs, units]), tf.tensor1d(bias)];
      model.layers[index]!.setWeights(weights);
      tf.dispose(weights);
    }
    let saved: io.ModelArtifacts | undefined;
    await model.save({
      save: async (artifacts) => {
        saved = artifacts;
        return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } };
      },
    });
    const { modelTopology, weightSpecs, weightData } = saved!;
    const parts = Array.isArray(weightData) ? weightData : [weightData!];
    return {
      model: JSON.stringify({
        format: 'layers-model',
        generatedBy: 'Graft',
        convertedBy: null,
        modelTopology,
        weightsManifest: [{ paths: ['weights.bin'], weights: weightSpecs }],
      }),
      weights: Buffer.concat(parts.map((part) => new Uint8Array(part))),
    };
  } finally {
    model.dispose();
  }
}

interface LayersModel {
  modelTopology: { config: { layers: { class_name: string; config: { activation?: string } }[] } };
  weightsManifest: { weights: { shape: number[] }[] }[];
}

/**
 * Read what `writeTfjsLayers` wrote, without TensorFlow.js: a server needs only the numbers.
 * @throws AppError `version_damaged` for anything else
 */
export function readTfjsLayers({ model, weights }: TfjsFiles): Head {
  try {
    const { modelTopology, weightsManifest } = JSON.parse(model) as LayersModel;
    const dense = modelTopology.config.layers.filter((layer) => layer.class_name === 'Dense');
    const shapes = weightsManifest.flatMap((group) => group.weights.map(({ shape }) => shape));
    // Uint8Array's slice copies, and so aligns; Buffer's would not. All layers are views of this one copy.
    const packed = new Float32Array(Uint8Array.prototype.slice.call(weights, 0, weights.length & ~3).buffer);
    let offset = 0;
    const read = (count: number) => {
      offset += count;
      if (offset > packed.length) throw new RangeError('weights.bin is too short');
      return packed.subarray(offset - count, offset);
    };
    const layers = dense.map((layer, index): DenseLayer => {
      const [inputs, units] = shapes[2 * index] as [number, number];
      const activation = layer.config.activation;
      if (activation !== 'relu' && activation !== 'softmax') throw new RangeError(`activation ${activation}`);
      return { inputs, units, kernel: read(inputs * units), bias: read(units), activation };
    });
    if (layers.length === 0 || offset * 4 !== weights.length) throw new RangeError('weights.bin has another size');
    return { layers };
  } catch (error) {
    throw new AppError('version_damaged', 'The stored head is not one that Graft wrote.', { cause: error });
  }
}
