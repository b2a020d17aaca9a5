import { io } from '@tensorflow/tfjs-core';
import { loadLayersModel } from '@tensorflow/tfjs-layers';
import t from 'tap';
import { loadEngine } from '../../src/heads/engine.js';
import { type DenseLayer, type Head, score } from '../../src/heads/head.js';
import { readTfjsLayers, writeTfjsLayers } from '../../src/heads/tfjs-layers.js';

const { tf } = await loadEngine();

function layer(inputs: number, units: number, activation: DenseLayer['activation']): DenseLayer {
  const numbers = (length: number, seed: number) => Float32Array.from({ length }, (_, i) => Math.sin(seed + 1.3 * i));
  return { inputs, units, kernel: numbers(inputs * units, units), bias: numbers(units, 7), activation };
}

const HEADS: Head[] = [{ layers: [layer(6, 2, 'softmax')] }, { layers: [layer(6, 5, 'relu'), layer(5, 3, 'softmax')] }];

t.test('what is written is read back bit by bit, wherever its bytes lie', async (t) => {
  for (const head of HEADS) {
    const { model, weights } = await writeTfjsLayers(head);
    t.same(readTfjsLayers({ model, weights }), head);
    const shifted = Buffer.concat([Buffer.from('x'), weights]).subarray(1);
    t.same(readTfjsLayers({ model, weights: shifted }), head);
  }
});

t.test('the same head gives the same bytes', async (t) => {
  for (const head of HEADS) t.same(await writeTfjsLayers(head), await writeTfjsLayers(head));
});

t.test('TensorFlow.js itself loads the files and predicts the same scores', async (t) => {
  for (const head of HEADS) {
    const files = await writeTfjsLayers(head);
    const { modelTopology, weightsManifest } = JSON.parse(files.model);
    t.same(weightsManifest[0].paths, ['weights.bin']);
    const model = await loadLayersModel(
      io.fromMemory({
        modelTopology,
        weightSpecs: weightsManifest[0].weights,
        weightData: new Uint8Array(files.weights).buffer,
      }),
    );
    const features = Float32Array.from({ length: 4 * 6 }, (_, i) => Math.cos(i));
    const input = tf.tensor2d(features, [4, 6]);
    const output = model.predict(input) as typeof input;
    const scores = output.dataSync();
    const classes = head.layers.at(-1)!.units;
    for (let row = 0; row < 4; row += 1) {
      score(head, features.subarray(row * 6, row * 6 + 6)).forEach((value, k) => {
        t.ok(Math.abs(value - scores[row * classes + k]!) < 1e-4);
      });
    }
    tf.dispose([input, output]);
    model.dispose();
  }
});

t.test('writing leaves no tensor behind', async (t) => {
  await writeTfjsLayers(HEADS[1]!);
  const before = tf.memory().numTensors;
  await writeTfjsLayers(HEADS[1]!);
  t.equal(tf.memory().numTensors, before);
});

t.test('files that are damaged are version_damaged', async (t) => {
  const { model, weights } = await writeTfjsLayers(HEADS[1]!);
  const damaged = [
    { model: '', weights },
    { model: '{}', weights },
    { model: 'null', weights },
    { model: model.slice(0, -5), weights },
    { model, weights: weights.subarray(4) },
    { model, weights: Buffer.concat([weights, Buffer.alloc(4)]) },
    { model: model.replace('"softmax"', '"tanh"'), weights },
    { model: model.replaceAll('"Dense"', '"Conv2D"'), weights },
    { model: model.replace('"shape":[6,5]', '"shape":[6,"5x"]'), weights },
  ];
  for (const files of damaged) t.throws(() => readTfjsLayers(files), { code: 'version_damaged' });
  t.end();
});
