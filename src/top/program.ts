/**
 * top/ is the trainable top of a backbone, and all that is special about it: where a backbone can be cut, how the part behind
 * the cut is trained, stored, served and downloaded. Training, prediction and artifacts have one branch for it each. How graphs
 * are taken apart lies in onnx/, what an operator computes in top/operators/, how a trunk runs in the modality's own room
 * (backbones/trunk.ts is what it implements).
 *
 * This file: the ONNX nodes behind a cut, as steps that can be trained.
 */

import { AppError } from '../errors.js';
import { tensorsOf, topNodes } from '../onnx/cut-graph.js';
import type { FloatConstant } from '../onnx/float-constant.js';
import type { GraphNode } from '../onnx/model-proto.js';
import type { BackboneCut } from '../schemas/backbones.js';
import { type BackboneGraph, type Constant, type Dimension, dimsFor } from './backbone-graph.js';
import type { Described, Operator } from './operators/contract.js';
import { OPERATORS } from './operators/operators.js';

export interface TopStep {
  node: GraphNode;
  operator: Operator;
  /** Of each output. */
  outputs: Dimension[][];
}

/** A top: input as `TRUNK`, output `[N, D]`. */
export interface TopProgram {
  cut: BackboneCut;
  steps: TopStep[];
  features: string;
  /** What a model has of its own, as the backbone has it: what is trained, and means and variances that belong to it. */
  weights: Map<string, FloatConstant>;
  /** Those of the weights that are trained. */
  trained: Set<string>;
  /** Those of the weights that are kernels of a convolution, which the engine lays out in another order. */
  kernels: Set<string>;
  /** Other constants of the steps. */
  constants: Map<string, Constant>;
  numbers: (name: string) => number[] | undefined;
  /** Numbers that one image has in all of its tensors together. */
  values: number;
}

/**
 * Understand what lies behind a cut.
 * @throws AppError `setting_conflict` that names the operator which cannot be trained here
 */
export function readTop(graph: BackboneGraph, cut: BackboneCut): TopProgram {
  const { id, model, features, index, dims } = graph;
  const { nodes } = topNodes(model.graph!, { cut: tensorsOf(cut).map(({ tensor }) => tensor), features });
  const program: TopProgram = {
    cut,
    features,
    steps: [],
    weights: new Map(),
    trained: new Set(),
    kernels: new Set(),
    constants: new Map(),
    numbers: graph.numbers,
    values: 0,
  };
  // Nodes that compute with shapes are not steps: the dimensions of each pass are known.
  for (const node of nodes.filter(({ output }) => output?.some((name) => index.shapes.has(name)))) {
    const operator = OPERATORS.get(node.opType ?? '');
    if (!operator) throw untrainable(id, node, 'this operator is not known to the training');
    const described = describe(graph, node);
    const reason = operator.refuses?.(described);
    if (reason) throw untrainable(id, node, reason);
    readConstants(graph, program, { node, operator, described });
    const outputs = node.output!.filter((name) => dims.has(name)).map((name) => dims.get(name)!);
    program.steps.push({ node, operator, outputs });
    for (const output of outputs) program.values += dimsFor(output, 1).reduce((product, d) => product * d, 1);
  }
  return program;
}

function describe({ index, constantDims }: BackboneGraph, node: GraphNode): Described {
  const nameAt = (place: number) => node.input?.[place] ?? '';
  return {
    node,
    dims: (place) => index.shapes.get(nameAt(place)),
    constant: (place) => (index.shapes.has(nameAt(place)) ? undefined : constantDims(nameAt(place))),
  };
}

/** Sort the constants of a node: what is trained, what belongs to it, and all others. */
function readConstants(
  { index, floats }: BackboneGraph,
  program: TopProgram,
  { node, operator, described }: { node: GraphNode; operator: Operator; described: Described },
): void {
  const trained = operator.trained?.(described) ?? [];
  for (const [place, name] of (node.input ?? []).entries()) {
    const constant = name === '' || index.shapes.has(name) ? undefined : floats(name);
    if (!constant) continue;
    if (trained.includes(place)) program.trained.add(name);
    if (trained.includes(place) || operator.kept?.includes(place)) program.weights.set(name, constant);
    else if (!program.weights.has(name)) program.constants.set(name, constant);
    if (node.opType === 'Conv' && place === 1) program.kernels.add(name);
  }
}

/** The error about a node that the training cannot go through. */
function untrainable(backbone: string, { opType, output }: GraphNode, reason: string): AppError {
  return new AppError(
    'setting_conflict',
    `The top of backbone '${backbone}' cannot be trained down to there: ${opType} '${output?.[0]}' is in the way, ${reason}. Take fewer trainable_blocks, or trainable none.`,
    { details: { backbone, operator: opType, reason: `${opType} '${output?.[0]}' is in the way: ${reason}.` } },
  );
}
