import { invalid } from '../../../onnx/check-model.js';
import type { Level } from '../../../onnx/level.js';
import type { ImageInput } from '../../../onnx/image-input.js';
import type { Model } from '../../../onnx/model-proto.js';
import { dimsOfInput } from '../../../onnx/probe-shapes.js';
import { pruneGraph } from '../../../onnx/prune-graph.js';
import { type RunOutput, runModel } from '../../../onnx/run-model.js';
import type { FeatureParts } from './backbone-graph.js';
import { FEATURES } from './backbone-graph.js';
import { type Preset, preprocess } from './preprocessing.js';

/** Largest difference allowed, relative to the largest feature: rounding, and fusions of the optimizer. */
const TOLERANCE = 1e-3;

/**
 * Run the finished backbone on two pictures in one batch, and the untouched network on each alone with pre-processing
 * and pooling done here, and compare. This catches whatever an import may get wrong: axes, cuts, batches.
 * @throws AppError `backbone_invalid`
 */
export async function compareBackbone({
  backbone,
  original,
  input,
  preset,
  parts,
}: {
  backbone: Model;
  original: Model;
  input: ImageInput;
  preset: Preset;
  parts: FeatureParts;
}): Promise<void> {
  const pictures = [testPicture(input, 1), testPicture(input, 2)];
  const batch = Buffer.concat(pictures);
  const [finished] = await runModel(backbone, {
    inputs: [{ data: new Uint8Array(batch), dims: [2, input.height, input.width, 3] }],
    stage: 'The backbone that was cut from the file does not run',
    optimize: true,
  });
  const { data, type, dims } = finished![FEATURES]!;
  if (type !== 'float32') throw invalid(`The features must be float32; they are ${type}.`);
  const features = Array.from(data, Number);
  if (!features.every(Number.isFinite)) throw invalid('The features of a test picture are not finite numbers.');
  const dimensions = dims[1]!;
  const rows = [features.slice(0, dimensions), features.slice(dimensions)];

  const names = [...parts.levels.map(({ name }) => name), ...(parts.vector ? [parts.vector.name] : [])];
  const graph = pruneGraph(original.graph!, names);
  graph.output = names.map((name) => ({ name, type: { tensorType: { elemType: 1 } } }));
  const repeats = input.batch ?? 1;
  const untouched = await runModel(
    { ...original, graph },
    {
      inputs: pictures.map((picture) => {
        const one = preprocess(picture, preset, input);
        const all = new Float32Array(one.length * repeats);
        for (let i = 0; i < repeats; i++) all.set(one, i * one.length);
        return { data: all, dims: dimsOfInput(input, repeats) };
      }),
      stage: 'The network does not run on a test picture',
    },
  );
  for (const [i, outputs] of untouched.entries()) {
    const expected = [
      ...parts.levels.flatMap((level) => means(outputs[level.name]!, level)),
      ...(parts.vector ? firstOf(outputs[parts.vector.name]!).slice(0, parts.vector.dimensions) : []),
    ];
    const scale = Math.max(...expected.map(Math.abs), Number.MIN_VALUE);
    if (!expected.every((value, d) => Math.abs(value - rows[i]![d]!) <= TOLERANCE * scale)) {
      throw invalid(
        'The network answers differently for pictures in one batch than one at a time, so it cannot be a backbone: export it with a dynamic batch.',
      );
    }
  }
  if (rows[0]!.every((value, d) => value === rows[1]![d])) {
    throw invalid(
      'The features are the same for two different pictures: the file is damaged, or not a network for images.',
    );
  }
}

/** A picture with shades, edges and noise, uint8 `[H, W, 3]`; another for another `seed`. */
function testPicture({ height, width }: ImageInput, seed: number): Uint8Array {
  let state = seed * 0x9e3779b9;
  return Uint8Array.from({ length: height * width * 3 }, (_, i) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const x = Math.floor(i / 3) % width;
    const y = Math.floor(i / 3 / width);
    const wave = Math.sin((seed * x) / 7 + i) + Math.cos(y / (3 + seed));
    return 96 + 40 * wave + (state >>> 26);
  });
}

/** The means of a level of the first image of a batch, one per channel. */
function means({ data }: RunOutput, { layout, channels, height, width, prefix = 0 }: Level): number[] {
  const area = height * width;
  const at = (place: number, channel: number) =>
    layout === 'nchw' ? channel * area + place : (prefix + place) * channels + channel;
  return Array.from({ length: channels }, (_, channel) => {
    let sum = 0;
    for (let i = 0; i < area; i++) sum += Number(data[at(i, channel)]);
    return sum / area;
  });
}

/** The first row of a batch. */
function firstOf({ data, dims }: RunOutput): number[] {
  return Array.from({ length: data.length / dims[0]! }, (_, i) => Number(data[i]));
}
