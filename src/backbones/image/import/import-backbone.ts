/**
 * import/ makes a backbone of somebody's ONNX image network: finds its features, puts pre-processing in front, compares. Not
 * here: what runs it (the room above), graph tools (onnx/), where it is kept (`../../installed.ts`).
 */
import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { Value } from '@sinclair/typebox/value';
import { AppError, isErrno } from '../../../errors.js';
import { checkModel, invalid } from '../../../onnx/check-model.js';
import { checkWire } from '../../../onnx/check-wire.js';
import { findLevels } from '../../../onnx/find-levels.js';
import { type GraphIndex, indexGraph } from '../../../onnx/graph-index.js';
import { type ImageInput, imageInputOf } from '../../../onnx/image-input.js';
import { guardPadding } from '../../../onnx/guard-padding.js';
import { decodeModel, encodeModel, type Graph, type Model } from '../../../onnx/model-proto.js';
import { probeShapes } from '../../../onnx/probe-shapes.js';
import { renameTensors } from '../../../onnx/rename-tensors.js';
import { batchedReshapes, symbolicBatch } from '../../../onnx/symbolic-batch.js';
import type { ImageBackboneCard } from '../../../schemas/backbones.js';
import { BackboneId } from '../../../schemas/common.js';
import { openGraph } from '../../../top/backbone-graph.js';
import { describeTop } from '../../../top/trainable-blocks.js';
import { RECIPE } from '../recipe.js';
import { backboneGraph, backboneModel, FEATURES, type FeatureParts, IMAGES, reservedNames } from './backbone-graph.js';
import { backboneReadme } from './backbone-readme.js';
import { compareBackbone } from './compare-backbone.js';
import { findFeatures, type TopFeatures } from './find-features.js';
import type { ImportedBackbone } from './imported-backbone.js';
import { guessPreset, isPresetName, PRESETS } from './preprocessing.js';

export interface ImportOptions {
  /** The ONNX file. */
  file: string;
  id: string;
  /** Pre-processing; guessed from names and classes where it is not given. */
  preset?: string;
  /** Tensor with the features; found where it is not given. */
  features?: string;
  /** Depths of the network whose pooled maps are the features; 1 is the last alone. */
  levels?: number;
  /** Width and height where the file leaves them open, px. */
  size?: number;
  resize?: ImageBackboneCard['resize'];
  name?: string;
  license?: string;
  source?: string;
  imagenetTop1?: number | null;
  /** Largest file. */
  maxBytes?: number;
}

/**
 * The last features and four depths below them, where the network has so many. Logistic regression on clothing (713 photos
 * held out) gained 2 points with MobileNet v2 and v1 and 4 with SqueezeNet, and lost 0.8 with ResNet-50 v2 up to stage 3.
 * The backbone takes no longer.
 */
const DEFAULT_LEVELS = 5;
/** What most classifiers are trained at, px. */
const DEFAULT_SIZE = 224;
/** Room for the largest classifiers in use (VGG-19: 575 MB); a protobuf cannot pass 2 GiB. */
const DEFAULT_MAX_BYTES = 2 ** 30;

/**
 * Make a backbone of any ONNX image classifier or feature extractor with one float32 input.
 *   1. Read and check the file; nothing reaches ONNX Runtime unchecked.
 *   2. Run it once for the shapes of all tensors; let it take any number of images.
 *   3. Find the features and the ends of the stages below them.
 *   4. Cut, put pre-processing in front, pool; compare with the untouched network.
 *   5. Give back card, `model.onnx` and `README.md`; who installs them decides where.
 * Costs a few passes and about three times the file in memory.
 * @throws AppError `backbone_invalid` about the file, `invalid_request` about the options, `missing_file`.
 */
export async function importBackbone(options: ImportOptions): Promise<ImportedBackbone> {
  const { file, id, levels = DEFAULT_LEVELS, size = DEFAULT_SIZE } = options;
  checkOptions(options);
  const bytes = await readModelFile(file, options.maxBytes ?? DEFAULT_MAX_BYTES);
  checkWire(bytes);
  const model = decodeModel(bytes);
  checkModel(model);
  const declared = imageInputOf(model.graph!, size);
  const renamed = reservedNames(model.graph!);
  const input = { ...declared, name: renamed.get(declared.name) ?? declared.name };
  model.graph = guardPadding(withoutConstants(renameTensors(model.graph!, renamed), input));
  const index = await batchedIndex(model, input);
  const named = options.features;
  const top = findFeatures(index, named === undefined ? undefined : (renamed.get(named) ?? named));
  const parts = featureParts(index, top, levels);
  const guess = guessPreset({ names: [basename(file), basename(dirname(resolve(file))), id], classes: top.classes });
  const preset = options.preset !== undefined && isPresetName(options.preset) ? options.preset : guess.preset;

  const graph = backboneGraph(index.graph, { input, preset: PRESETS[preset], parts });
  const backbone = backboneModel(model, graph);
  const original = backboneModel(model, model.graph!);
  await compareBackbone({ backbone, original, input, preset: PRESETS[preset], parts });

  const encoded = encodeModel(backbone);
  const { height, width } = input;
  const card: ImageBackboneCard = {
    id,
    name: options.name ?? id,
    modality: 'image',
    recipe: RECIPE,
    file: 'model.onnx',
    sha256: createHash('sha256').update(encoded).digest('hex'),
    bytes: encoded.length,
    input: { name: IMAGES, width, height },
    // 256 for 224: what nearly all networks are evaluated with.
    resize: options.resize ?? { mode: 'crop', short_side: Math.round((Math.min(width, height) * 256) / 224) },
    features: {
      name: FEATURES,
      dimensions: parts.levels.reduce((sum, { channels }) => sum + channels, parts.vector?.dimensions ?? 0),
    },
    maps: mapsOf(parts).map((channels, i) => ({ name: `map_${i + 1}`, channels })),
    license: options.license ?? 'unknown',
    source:
      options.source ?? `Imported from ${basename(file)}, sha256 ${createHash('sha256').update(bytes).digest('hex')}`,
    imagenet_top1: options.imagenetTop1 ?? null,
  };
  card.top = describeTop(await openGraph(encoded, card));
  const presetReason = options.preset === undefined ? guess.reason : 'it was asked for';
  const found = { card, preset, presetReason, parts, classes: top.classes };
  const files = new Map<string, Uint8Array | string>([
    [card.file, encoded],
    ['README.md', backboneReadme(found)],
  ]);
  return { ...found, files };
}

/** Channels of the maps whose means are the features; none where no map has more than one place. */
function mapsOf({ levels, vector }: FeatureParts): number[] {
  if (levels.length === 0) return [];
  return [...levels.map(({ channels }) => channels), ...(vector ? [vector.dimensions] : [])];
}

function checkOptions({ id, preset, levels = 1, size = 1 }: ImportOptions): void {
  const fault = (message: string) => new AppError('invalid_request', message);
  if (!Value.Check(BackboneId, id)) {
    throw fault(
      `The id ${JSON.stringify(id)} is not possible: lower-case letters, digits, ".", "_" and "-", at most 64.`,
    );
  }
  if (preset !== undefined && !isPresetName(preset)) {
    throw fault(`There is no preset ${preset}: it is one of ${Object.keys(PRESETS).join(', ')}.`);
  }
  if (!Number.isInteger(levels) || levels < 1) throw fault('The number of levels must be 1 or more.');
  if (!Number.isInteger(size) || size < 1) throw fault('The size must be a whole number of pixels.');
}

async function readModelFile(file: string, maxBytes: number): Promise<Uint8Array> {
  try {
    const { size } = await stat(file);
    if (size > maxBytes) throw invalid(`The file has ${size} bytes; at most ${maxBytes} are read.`);
    return await readFile(file);
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'EISDIR', 'EACCES')) throw error;
    throw new AppError('missing_file', `The file ${file} cannot be read.`, { cause: error });
  }
}

/** The graph with a batch of any size, and an index of it from a run with two images. */
async function batchedIndex(model: Model, input: ImageInput): Promise<GraphIndex> {
  const own = await probeShapes(backboneModel(model, model.graph!), {
    input,
    batch: input.batch ?? 1,
    stage: 'The file does not run',
  });
  let graph = symbolicBatch(model.graph!, input);
  const probe = () =>
    probeShapes(backboneModel(model, graph), { input, batch: 2, stage: 'The network takes one image at a time only' });
  const follows = (shapes: Map<string, number[]>) =>
    (graph.output ?? []).every(({ name }) => (shapes.get(name ?? '') ?? [2])[0] === 2);
  if (input.batch === undefined) {
    const shapes = await probe().catch(() => undefined);
    if (shapes && follows(shapes)) return indexGraph(graph, input, shapes);
  }
  graph = batchedReshapes(graph, own);
  return indexGraph(graph, input, await probe());
}

/** The graph with only the image as input (old files list their constants there too), and without notes on shapes. */
function withoutConstants(graph: Graph, input: ImageInput): Graph {
  return { ...graph, input: graph.input!.filter(({ name }) => name === input.name), valueInfo: [] };
}

function featureParts(index: GraphIndex, { level, vector }: TopFeatures, count: number): FeatureParts {
  const below = findLevels(index, { top: level?.name ?? vector!.name, count: count - 1 });
  return { levels: level ? [...below, level] : below, vector };
}
