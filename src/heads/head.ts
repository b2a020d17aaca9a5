/**
 * heads/ holds the part that belongs to one model: what a head is, how it is fitted on features that are there, applied,
 * stored, and explained by the examples that it was fitted on. It knows rows of features and class indices, and nothing of
 * what either means. Arithmetic that others need, too, lies in numbers/; which head and settings to take is chosen in
 * training/; what turns content into features lies in backbones/, and what is trained of those in top/.
 *
 * This file: a head, and how it is applied.
 */
import { type FeatureRow, isSparse } from '../numbers/features.js';
import { addRowTimes } from '../numbers/rows.js';
import { softmax } from '../numbers/scores.js';

/** One dense layer: `activation(x · kernel + bias)`, x `[inputs]`, kernel `[inputs, units]` row by row. */
export interface DenseLayer {
  inputs: number;
  units: number;
  kernel: Float32Array;
  bias: Float32Array;
  activation: 'relu' | 'softmax';
}

/**
 * What belongs to one model: features `[D]` in, probabilities `[K]` out. Standardisation and temperature are folded into
 * the layers, so that every engine computes the same thing from the same numbers.
 */
export interface Head {
  /** One that is served is read from one file into one array, of which kernels and biases are views. */
  layers: DenseLayer[];
}

/** Bytes that a head takes in memory. */
export function headBytes(head: Head): number {
  return head.layers.reduce((sum, { kernel, bias }) => sum + kernel.byteLength + bias.byteLength, 0);
}

/** Room for the values between two layers, two arrays in turn, kept from call to call. */
const between = [new Float32Array(1024), new Float32Array(1024)];

/**
 * Probabilities of one example.
 * @param features `[D]`, dense or sparse
 * @param out room for them, `[K]`; nothing is allocated where it is given
 * @returns `[K]`, adding up to 1
 */
export function score(
  { layers }: Head,
  features: FeatureRow,
  out: Float32Array = new Float32Array(layers.at(-1)!.units),
): Float32Array {
  let input = features;
  for (const [index, { inputs, units, kernel, bias, activation }] of layers.entries()) {
    const output = index === layers.length - 1 ? out : roomFor(index % 2, units);
    output.set(bias);
    if (isSparse(input)) addRowTimes(output, input, kernel, units);
    else {
      for (let i = 0; i < inputs; i += 1) {
        const value = input[i]!;
        if (value === 0) continue;
        const row = i * units;
        for (let j = 0; j < units; j += 1) output[j]! += value * kernel[row + j]!;
      }
    }
    if (activation === 'softmax') softmax(output);
    else for (let j = 0; j < units; j += 1) output[j] = Math.max(0, output[j]!);
    input = output;
  }
  return out;
}

function roomFor(place: number, units: number): Float32Array {
  if (between[place]!.length < units) between[place] = new Float32Array(units);
  return between[place]!;
}

/**
 * The same head with the standardisation `(x − mean) / deviation` folded into its first layer and the temperature into
 * its last, so that it takes raw features and answers calibrated probabilities.
 */
export function folded(
  head: Head,
  { mean, deviation, temperature }: { mean: Float32Array; deviation: Float32Array; temperature: number },
): Head {
  const last = head.layers.length - 1;
  const layers = head.layers.map((layer, index): DenseLayer => {
    const kernel = layer.kernel.slice();
    const bias = Float64Array.from(layer.bias);
    if (index === 0) {
      for (let i = 0; i < layer.inputs; i += 1) {
        for (let j = 0; j < layer.units; j += 1) {
          kernel[i * layer.units + j]! /= deviation[i]!;
          bias[j]! -= kernel[i * layer.units + j]! * mean[i]!;
        }
      }
    }
    if (index === last) {
      for (let i = 0; i < kernel.length; i += 1) kernel[i]! /= temperature;
      for (let j = 0; j < bias.length; j += 1) bias[j]! /= temperature;
    }
    return { ...layer, kernel, bias: Float32Array.from(bias) };
  });
  return { layers };
}
