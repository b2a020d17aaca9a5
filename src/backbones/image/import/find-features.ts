import { invalid } from '../../../onnx/check-model.js';
import { type Level, mapAt } from '../../../onnx/level.js';
import { tokenBlocks, tokensAt } from '../../../onnx/find-tokens.js';
import { averagedBy, type GraphIndex, imageInputsOf, mapSize } from '../../../onnx/graph-index.js';
import type { GraphNode } from '../../../onnx/model-proto.js';
import { axesOf, dimsOf, intAttribute } from '../../../onnx/read-node.js';

/** Where the last features of a network are. */
export interface TopFeatures {
  /** A tensor that holds them, `[N, D]` or `[N, D, 1, 1]`, or `[N, T, D]` whose first token does; undefined: the level alone. */
  vector: { name: string; dimensions: number; firstToken?: boolean } | undefined;
  /** The map that is pooled for them, or whose mean they are; undefined where there is none, as in AlexNet. */
  level: Level | undefined;
  /** Classes of the classifier that was found behind them; undefined where there is none. */
  classes: number | undefined;
}

/** What may lie between a classifier and the output without changing what the classifier is. */
const THROUGH = new Set(
  'Add AveragePool Cast Div Dropout Flatten GlobalAveragePool Identity Mul ReduceMean Reshape Squeeze Sub Transpose Unsqueeze'.split(
    ' ',
  ),
);
const SQUASHING = new Set(['Softmax', 'LogSoftmax', 'Sigmoid']);
/** What may lie between pooling and the classifier without making other features of the means: other dimensions, and norms. */
const NORMALISING = new Set(
  'Add BatchNormalization Cast Div Dropout Flatten Identity LayerNormalization Mul Pow ReduceL2 ReduceMean Reshape Sqrt Squeeze Sub Transpose Unsqueeze'.split(
    ' ',
  ),
);
/** Sizes of the classifiers that are published: ImageNet with and without background, its larger sets, Places, CIFAR. */
const CLASS_COUNTS = new Set([10, 100, 365, 1000, 1001, 10450, 11221, 11821, 21841, 21843]);
/** Longest vector taken as it is where a map goes into the classifier value by value; a longer one is pooled. */
const MAX_FLAT = 8192;

/**
 * Find the features: what the last classifier layer (Gemm, MatMul or 1×1 convolution) reads, or the output of a network
 * without one, or the tensor called `named`. From there, follow flattening and pooling back to the map they are the mean
 * of.
 * @throws AppError `backbone_invalid` when there is no such tensor or it cannot serve as features.
 */
export function findFeatures(index: GraphIndex, named?: string): TopFeatures {
  if (named !== undefined) {
    if (!index.shapes.has(named)) throw invalid(`The file has no tensor ${named} that depends on the image.`);
    return topAt(named, undefined, { index, named: true });
  }
  const outputs = (index.graph.output ?? []).map(({ name }) => name ?? '').filter((name) => index.shapes.has(name));
  const output = outputs.find((name) => [2, 4].includes(index.shapes.get(name)!.length)) ?? outputs[0];
  if (output === undefined) throw invalid('No output of the file depends on the image.');
  const classifier = classifierBefore(output, index);
  return classifier ? topAt(classifier.input, classifier.classes, { index }) : topAt(output, undefined, { index });
}

/** Walk back from an output to the classifier that made it; undefined when something else did. */
function classifierBefore(output: string, index: GraphIndex): { input: string; classes: number } | undefined {
  let name = output;
  let squashed = false;
  let activated = false;
  for (let node = index.maker.get(name); node; node = index.maker.get(name)) {
    const op = node.opType ?? '';
    const inputs = imageInputsOf(node, index);
    const [input] = inputs;
    if (input === undefined || inputs.length > 1) return undefined;
    if (op === 'Gemm' || op === 'MatMul') {
      // A dense layer with a Relu behind it is a hidden one: VGG without its classifier ends so.
      const classes = index.shapes.get(name)!.at(-1)!;
      if (op === 'MatMul' && isProjection({ name, classes, squashed }, index)) return undefined;
      return activated || input !== node.input?.[0] ? undefined : { input, classes };
    }
    if (op === 'Conv') {
      const weights = index.shapes.get(name)![1]!;
      const { height, width } = mapSize(input, index) ?? { height: 1, width: 1 };
      // On a whole map, a 1×1 convolution may be a network's own last layer (MobileNet without its classifier ends
      // so), or a classifier in the manner of SqueezeNet. Softmax or a well-known number of classes tells.
      const classifies = (height === 1 && width === 1 && !activated) || squashed || CLASS_COUNTS.has(weights);
      const pointwise = isPointwise(name, index) && intAttribute(node, 'group', 1) === 1;
      return classifies && pointwise ? { input, classes: weights } : undefined;
    }
    if (op === 'Relu') activated = true;
    else if (SQUASHING.has(op)) squashed = true;
    else if (!THROUGH.has(op)) return undefined;
    name = input;
  }
  return undefined;
}

/** Whether the convolution that makes `name` looks at one position at a time, or at the only one there is. */
function isPointwise(name: string, index: GraphIndex): boolean {
  const node = index.maker.get(name)!;
  const kernel = index.constants.get(node.input?.[1] ?? '');
  const sides = kernel ? dimsOf(kernel).slice(2) : [];
  return kernel === undefined || sides.every((side) => side === 1);
}

/** Whether a dense layer without bias, the last of a transformer, brings it to a space shared with texts, as CLIP's does. */
function isProjection(layer: { name: string; classes: number; squashed: boolean }, index: GraphIndex): boolean {
  if (layer.squashed || CLASS_COUNTS.has(layer.classes)) return false;
  const biased = index.readers.get(layer.name)?.some(({ opType }) => opType === 'Add');
  return !biased && tokenBlocks(index, layer.name).length > 0;
}

/** What the features at `tensor` are made of: a vector as it is, the mean of a map, or both. */
function topAt(
  tensor: string,
  classes: number | undefined,
  { index, named = false }: { index: GraphIndex; named?: boolean },
): TopFeatures {
  const dims = index.shapes.get(tensor)!;
  const batch = index.shapes.get(index.graph.input![0]!.name ?? '')![0]!;
  const dimensions = valuesIn(dims) / batch;
  const tokens = dims.length === 3 ? tokensAt(tensor, index) : undefined;
  if (tokens) {
    const first = { name: tensor, dimensions: tokens.channels, firstToken: true };
    return { vector: tokens.prefix ? first : undefined, level: tokens, classes };
  }
  if (dims[0] !== batch || (dims.length !== 2 && dims.length !== 4) || dimensions < 1) {
    throw invalid(
      `The tensor ${tensor} has the shape [${dims.join(', ')}] for ${batch} images and cannot serve as features, which are [${batch}, D]: name another with --features.`,
    );
  }
  const vector = { name: tensor, dimensions };
  const { level, whole, places } = sourceOf(tensor, index);
  if (level) return { vector: whole ? undefined : vector, level, classes };
  // Whoever names a flattened map wants it place by place.
  if (places && (dims.length === 4 || (dimensions > MAX_FLAT && !named))) {
    return { vector: undefined, level: places, classes };
  }
  if (dims.length === 4 && dimensions !== Math.max(...dims.slice(1))) {
    throw invalid(`The order of the axes of ${tensor} is not known: name another tensor with --features.`);
  }
  // Attention pooling mixes all tokens: they are pooled beside it.
  return { vector, level: tokenBlocks(index, tensor).at(-1), classes };
}

/** Where a vector comes from: see `sourceOf`. */
interface Source {
  /** The map that was averaged for it, or the tokens whose first one it is. */
  level: Level | undefined;
  /** Whether it is nothing but means of that map. */
  whole: boolean;
  /** The map that was flattened to it, place by place. */
  places: Level | undefined;
}

/** Follow a vector back, through all that has one place an image, to the map or the tokens that it was made of. */
function sourceOf(tensor: string, index: GraphIndex): Source {
  const own = mapAt(tensor, index);
  if (own && own.height * own.width > 1) return { level: undefined, whole: false, places: own };
  const levels = new Map<string, Level>();
  let [whole, places] = [true, undefined as Level | undefined];
  const seen = new Set<string>();
  const open = [tensor];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    const node = index.maker.get(name);
    if (!node || seen.has(name)) continue;
    seen.add(name);
    const [input = ''] = imageInputsOf(node, index);
    const level = pooledBy(node, index);
    if (level) {
      levels.set(level.name, level);
      if (level.prefix) whole = false;
      continue;
    }
    if (!NORMALISING.has(node.opType ?? '')) whole = false;
    const map = mapAt(input, index);
    if (map && map.height * map.width > 1) {
      if (open.length === 0 && whole) places = map;
      continue;
    }
    for (const each of imageInputsOf(node, index)) if (hasOnePlace(each, index)) open.push(each);
  }
  const [level] = levels.size === 1 ? levels.values() : [];
  return { level, whole, places };
}

/** The map that a node averages, or the tokens that it averages or takes the first of. */
function pooledBy(node: GraphNode, index: GraphIndex): Level | undefined {
  const averaged = averagedBy(node, index);
  if (averaged) {
    const size = mapAt(averaged.name, index);
    const [, a = 0, b = 0, c = 0] = index.shapes.get(averaged.name) ?? [];
    const read =
      averaged.layout === 'nchw' ? { channels: a, height: b, width: c } : { channels: c, height: a, width: b };
    return { ...(size ?? { name: averaged.name, ...read }), layout: averaged.layout };
  }
  const [input = ''] = imageInputsOf(node, index);
  if (index.shapes.get(input)?.length !== 3) return undefined;
  const takesOne =
    ['Gather', 'Slice', 'Split'].includes(node.opType ?? '') && index.shapes.get(node.output![0]!)!.length <= 3;
  const averages = node.opType === 'ReduceMean' && axesOf(node, index.constants, 3)?.join() === '1';
  const tokens = tokensAt(input, index);
  if (averages) return tokens?.prefix === 0 ? tokens : undefined;
  return takesOne && hasOnePlace(node.output![0]!, index) ? tokens : undefined;
}

/** Whether a tensor is a vector an image: `[N, D]`, or with further axes of one. */
function hasOnePlace(name: string, index: GraphIndex): boolean {
  const dims = index.shapes.get(name) ?? [];
  return dims.length >= 2 && dims.slice(1).filter((d) => d > 1).length <= 1;
}

function valuesIn(dims: number[]): number {
  return dims.reduce((product, d) => product * d, 1);
}
