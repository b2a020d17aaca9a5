import { invalid } from '../../../onnx/check-model.js';
import { averagedBy, type GraphIndex, imageInputsOf, mapSize } from '../../../onnx/graph-index.js';
import type { Layout } from '../../../onnx/image-input.js';
import { dimsOf, intAttribute } from '../../../onnx/read-node.js';

/** Where the last features of a network are. */
export interface TopFeatures {
  /** A tensor that holds them, `[N, D]`, `[N, D, 1, 1]`, or the map they are the mean of. */
  tensor: string;
  /** The spatial map whose mean they are; undefined where they are something else, as in AlexNet. */
  map: { name: string; layout: Layout } | undefined;
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
/** What may lie between pooling and the classifier. */
const RESHAPING = new Set(['Dropout', 'Flatten', 'Identity', 'Reshape', 'Squeeze', 'Unsqueeze', 'Transpose']);
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
    return topAt(named, undefined, index);
  }
  const outputs = (index.graph.output ?? []).map(({ name }) => name ?? '').filter((name) => index.shapes.has(name));
  const output = outputs.find((name) => [2, 4].includes(index.shapes.get(name)!.length)) ?? outputs[0];
  if (output === undefined) throw invalid('No output of the file depends on the image.');
  const classifier = classifierBefore(output, index);
  return classifier ? topAt(classifier.input, classifier.classes, index) : topAt(output, undefined, index);
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

/** Follow `tensor` back through flattening and pooling, to see whether it is the mean of a map. */
function topAt(tensor: string, classes: number | undefined, index: GraphIndex): TopFeatures {
  const dims = index.shapes.get(tensor)!;
  const batch = index.shapes.get(index.graph.input![0]!.name ?? '')![0]!;
  const values = dims.reduce((product, d) => product * d, 1) / batch;
  if (dims[0] !== batch || (dims.length !== 2 && dims.length !== 4) || values < 1) {
    throw invalid(
      `The tensor ${tensor} has the shape [${dims.join(', ')}] for ${batch} images and cannot serve as features, which are [${batch}, D]: name another with --features.`,
    );
  }
  let name = tensor;
  for (let node = index.maker.get(name); node; node = index.maker.get(name)) {
    const averaged = averagedBy(node, index);
    if (averaged) return { tensor, map: averaged, classes };
    const [input, ...others] = imageInputsOf(node, index);
    if (!RESHAPING.has(node.opType ?? '') || input === undefined || others.length > 0) break;
    if (index.shapes.get(input)!.reduce((product, d) => product * d, 1) !== values * batch) break;
    name = input;
  }
  const size = mapSize(tensor, index) ?? mapSize(name, index);
  const spatial = size !== undefined && size.height * size.width > 1;
  if (spatial && (dims.length === 4 || values > MAX_FLAT)) {
    const map = index.layouts.has(tensor) ? tensor : name;
    return { tensor: map, map: { name: map, layout: index.layouts.get(map)! }, classes };
  }
  if (dims.length === 4 && values !== Math.max(...dims.slice(1))) {
    throw invalid(`The order of the axes of ${tensor} is not known: name another tensor with --features.`);
  }
  return { tensor, map: undefined, classes };
}
