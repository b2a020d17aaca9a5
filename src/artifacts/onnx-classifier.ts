/**
 * The `onnx` download of a trained model: one file, the input of its backbone in, `probabilities` float32 `[N, K]` out.
 *
 * The fields of a protobuf message may be written in any order, and lists in any number of portions. So the file is made
 * of pieces that are only written one after another:
 *   1. what the model says of itself (format version, operator sets), then tag and length of its graph,
 *   2. the backbone's graph without outputs, encoded once per backbone (9 to 500 MB),
 *   3. the rest of the same graph, nodes and constants of the head (a few KB), then labels and such.
 * Both portions lie in one `graph` field. (Two `graph` fields would do for ONNX Runtime, which merges them, but many
 * readers, Netron and protobufjs among them, keep only the last.)
 */
import { AppError } from '../errors.js';
import type { Head } from '../heads/head.js';
import { buildNode, floatTensor, valueInfo } from '../onnx/build-node.js';
import { decodeModel, ELEMENT, type Graph, onnx } from '../onnx/model-proto.js';
import { pruneGraph } from '../onnx/prune-graph.js';
import type { BackboneCard } from '../schemas/backbones.js';

/** The classifier's only output. */
const OUTPUT = 'probabilities';
/** Begins the name of every tensor of the head but the output, so that none is a name of the backbone. */
const PREFIX = 'graft_head/';
/** Tag of `ModelProto.graph`: field 7, a message. */
const GRAPH_TAG = (7 << 3) | 2;

/** The part of every classifier that all models on one backbone share. */
export interface FeatureGraph {
  /** Encoded fields of the model except its graph. */
  header: Uint8Array;
  /** Encoded graph that computes the features, without outputs. */
  graph: Uint8Array;
}

/** What makes one classifier of it. */
export interface ClassifierOptions {
  features: FeatureGraph;
  card: BackboneCard;
  head: Head;
  /** `[K]`, in the order of the probabilities. */
  labels: readonly string[];
  /** Written into the file beside `labels` and the backbone's id and digest: model, version, … */
  metadata?: Record<string, string>;
}

/**
 * Cut a backbone down to what computes its features. Takes as long as copying the file: keep the result.
 * @throws AppError `backbone_invalid` when `modelBytes` is not the backbone that `card` describes.
 */
export function featureGraph(modelBytes: Uint8Array, card: BackboneCard): FeatureGraph {
  const { graph, trainingInfo: _, metadataProps: __, ...model } = decodeModel(modelBytes);
  const pruned = pruneGraph(graph!, [card.features.name]);
  const made = new Set(pruned.node!.flatMap((node) => node.output ?? []));
  if (!made.has(card.features.name)) {
    throw new AppError('backbone_invalid', `Backbone ${card.id} has no tensor ${card.features.name}.`);
  }
  for (const name of made) {
    if (name === OUTPUT || name.startsWith(PREFIX)) {
      throw new AppError('backbone_invalid', `Backbone ${card.id} uses the name ${name}, which is the classifier's.`);
    }
  }
  return {
    header: onnx.ModelProto.encode({ ...model, producerName: 'graft' }).finish(),
    graph: onnx.GraphProto.encode(pruned).finish(),
  };
}

/**
 * The file as pieces, to be written one after another; their lengths add up to its size. The same arguments give the
 * same bytes.
 * @throws RangeError when the head does not fit the features or the labels: a fault of the caller.
 */
export function classifierPieces({ features, card, head, labels, metadata = {} }: ClassifierOptions): Uint8Array[] {
  const inputs = head.layers[0]?.inputs;
  const classes = head.layers.at(-1)?.units;
  if (inputs !== card.features.dimensions || classes !== labels.length) {
    throw new RangeError(
      `A head ${inputs} → ${classes} does not fit ${card.features.dimensions} features and ${labels.length} labels`,
    );
  }
  const headGraph = onnx.GraphProto.encode(graphOf(head, card.features.name)).finish();
  const entries = {
    ...metadata,
    labels: JSON.stringify(labels),
    backbone: card.id,
    backbone_sha256: card.sha256,
  };
  const metadataProps = Object.entries(entries).map(([key, value]) => ({ key, value }));
  const closing = onnx.ModelProto.encode({ metadataProps }).finish();
  const opening = Uint8Array.of(GRAPH_TAG, ...varint(features.graph.length + headGraph.length));
  return [features.header, opening, features.graph, headGraph, closing];
}

/** Gemm and Relu per layer, and Softmax after the last: `[N, D]` → `[N, K]`. Kernels are `[inputs, units]`, as Gemm wants. */
function graphOf(head: Head, features: string): Graph {
  const graph: Required<Pick<Graph, 'node' | 'initializer' | 'output'>> = { node: [], initializer: [], output: [] };
  let input = features;
  for (const [i, layer] of head.layers.entries()) {
    const name = (part: string) => `${PREFIX}${i}/${part}`;
    const last = i === head.layers.length - 1;
    if (last !== (layer.activation === 'softmax')) throw new RangeError('Softmax belongs to the last layer only');
    const activated = last ? OUTPUT : name('relu');
    graph.initializer!.push(
      floatTensor(name('kernel'), [layer.inputs, layer.units], layer.kernel),
      floatTensor(name('bias'), [layer.units], layer.bias),
    );
    graph.node!.push(
      buildNode('Gemm', { inputs: [input, name('kernel'), name('bias')], outputs: [name('logits')] }),
      // On two dimensions, axis 1 means the same before and after opset 13, which changed the default and the meaning.
      last
        ? buildNode('Softmax', { inputs: [name('logits')], outputs: [activated], attributes: { axis: 1 } })
        : buildNode('Relu', { inputs: [name('logits')], outputs: [activated] }),
    );
    input = activated;
  }
  graph.output!.push(valueInfo(OUTPUT, ELEMENT.float32, ['N', head.layers.at(-1)!.units]));
  return graph;
}

/** A length as protobuf writes it: seven bits a byte, the lowest first. */
function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 127) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
  return bytes;
}
