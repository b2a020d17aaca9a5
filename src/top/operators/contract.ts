/**
 * top/operators/ holds the operators of ONNX that a top may be made of: what each computes on TensorFlow.js, which of its
 * inputs are trained, and the gradients that the WebAssembly engine lacks. Not here: how a graph becomes a program, and how
 * it is fitted (top).
 *
 * This file: what an operator is.
 */
import type { Tensor, Tensor4D } from '@tensorflow/tfjs-core';
import type { Engine } from '../../heads/engine.js';
import type { GraphNode } from '../../onnx/model-proto.js';

export type TensorFlow = Engine['tf'];

/** A tensor of a pass. */
export interface Value {
  /** Its dimensions as ONNX counts them. */
  dims: number[];
  /** A map `[N, C, h, w]` whose numbers lie as `[N, h, w, C]`, as the engine wants them. */
  channelsLast: boolean;
  tensor: Tensor;
}

/** One node in one pass. */
export interface Step {
  tf: TensorFlow;
  node: GraphNode;
  /** An input by its place; `undefined` where it was left out. */
  input(place: number): Value | undefined;
  /** An input that every node of this kind has. */
  needed(place: number): Value;
  /** The kernel of a convolution, `[h, w, inputs of a group, outputs]`. */
  kernel(place: number): Tensor4D;
  /** An input whose numbers are the same in every pass. */
  numbers(place: number): number[] | undefined;
  /** Dimensions of its outputs in this pass. */
  outputs: number[][];
}

/** A node before any pass: what can be told of its inputs. */
export interface Described {
  node: GraphNode;
  /** Of an input that depends on the image: with two images. */
  dims(place: number): number[] | undefined;
  /** Dimensions of an input that is a constant. */
  constant(place: number): number[] | undefined;
}

export interface Operator {
  /** Places of inputs that are trained, where they are constants. */
  trained?: (described: Described) => number[];
  /** Places of constants that belong to the trained ones and stay, such as means of a normalisation. */
  kept?: number[];
  /** Why the training cannot go through this node; undefined where it can. */
  refuses?: (described: Described) => string | undefined;
  run: (step: Step) => Value | Value[];
}
