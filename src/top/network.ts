import type { Tensor, Tensor2D, Tensor4D, Variable } from '@tensorflow/tfjs-core';
import type { Engine } from '../heads/engine.js';
import { tensorsOf, trunkDimensions, valuesOf } from '../onnx/cut-graph.js';
import type { FloatConstant } from '../onnx/float-constant.js';
import { dimsFor } from './backbone-graph.js';
import type { Step, Value } from './operators/contract.js';
import { registerGradients } from './operators/gradients.js';
import { asMap, mapValue, plain, plainValue } from './operators/values.js';
import type { TopProgram, TopStep } from './program.js';

/** A weight that is trained. */
export interface Parameter {
  name: string;
  variable: Variable;
}

/** A top on the engine, with weights that can be trained. */
export class TopNetwork {
  readonly parameters: Parameter[] = [];
  readonly #tf: Engine['tf'];
  readonly #program: TopProgram;
  /** Kernels of convolutions lie as `[h, w, inputs, outputs]`, all else as the graph has it. */
  readonly #weights = new Map<string, Variable>();
  readonly #constants = new Map<string, Tensor>();

  constructor(engine: Engine, program: TopProgram, weights: Map<string, FloatConstant> = program.weights) {
    const { tf } = engine;
    registerGradients(engine);
    this.#tf = tf;
    this.#program = program;
    for (const [name, { dims, values }] of weights) {
      const kernel = program.kernels.has(name);
      const variable = tf.tidy(() => {
        const shape = kernel ? [dims[2]!, dims[3]!, dims[1]!, dims[0]!] : dims;
        return tf.variable(tf.tensor(kernel ? outputsLast(values, dims) : values, shape)) as never;
      }) as Variable;
      this.#weights.set(name, variable);
      if (program.trained.has(name)) this.parameters.push({ name, variable });
    }
    for (const [name, { dims, values }] of program.constants) this.#constants.set(name, tf.tensor(values, dims));
  }

  /** The weights as ONNX lays them out. */
  weights(): Map<string, FloatConstant> {
    return new Map(
      [...this.#weights].map(([name, variable]) => {
        const { dims } = this.#program.weights.get(name)!;
        const values = variable.dataSync() as Float32Array;
        return [name, { dims, values: this.#program.kernels.has(name) ? outputsFirst(values, dims) : values.slice() }];
      }),
    );
  }

  /**
   * @param x float32 `[count, T]`, as the trunk answers
   * @param changed looks at what a step made, and answers whether it changed the step's weights, so that it is run again
   * @returns features `[count, D]`
   */
  forward(x: Float32Array, count: number, changed?: (step: TopStep, made: Value | Value[]) => boolean): Tensor2D {
    const tf = this.#tf;
    const { cut, steps, features } = this.#program;
    const values = new Map<string, Value>();
    const input = tf.tensor2d(x, [count, trunkDimensions(cut)]);
    let offset = 0;
    for (const { tensor, dims } of tensorsOf(cut)) {
      const length = valuesOf(dims);
      const whole = plainValue(tf.reshape(tf.slice(input, [0, offset], [count, length]), [count, ...dims]));
      values.set(tensor, dims.length === 3 ? mapValue(asMap(tf, whole)) : whole);
      offset += length;
    }
    for (const step of steps) {
      const given = this.#stepOf(step, values, count);
      let made = step.operator.run(given);
      if (changed?.(step, made)) made = step.operator.run(given);
      const list = Array.isArray(made) ? made : [made];
      for (const [i, value] of list.entries()) values.set(step.node.output![i]!, value);
    }
    return plain(tf, values.get(features)!) as Tensor2D;
  }

  /**
   * Set random weights by what the layers answer to `count` examples: convolutions and normalisations to mean 0 and variance 1
   * in each channel, dense layers to variance 1 over all (Mishkin and Matas, All you need is a good init, 2016).
   */
  calibrate(x: Float32Array, count: number): void {
    this.#tf.tidy(() => void this.forward(x, count, (step, made) => this.#calibrateStep(step, made)));
  }

  #calibrateStep({ node }: TopStep, made: Value | Value[]): boolean {
    const tf = this.#tf;
    const [, ...own] = (node.input ?? []).map((name) => this.#weights.get(name));
    if (Array.isArray(made) || !['BatchNormalization', 'Conv', 'Gemm', 'MatMul'].includes(node.opType!)) return false;
    if (!own[0]) return false;
    const { tensor, channelsLast } = made;
    const perChannel = channelsLast && tensor.size > tensor.shape[0]! * tensor.shape[3]!;
    const rows = tf.reshape(tensor, [-1, perChannel ? tensor.shape[3]! : 1]);
    const mean = tf.mean(rows, 0);
    const variance = tf.mean(tf.square(tf.sub(rows, mean)), 0);
    if (node.opType === 'BatchNormalization') {
      const shape = own[2]!.shape;
      own[2]!.assign(tf.mul(tf.ones(shape), mean) as never);
      own[3]!.assign(tf.mul(tf.ones(shape), variance) as never);
      return true;
    }
    const slope = tf.rsqrt(tf.maximum(variance, 1e-6));
    own[0].assign(tf.mul(own[0], slope) as never);
    if (own[1] && perChannel) own[1].assign(tf.mul(tf.sub(own[1], mean), slope) as never);
    return true;
  }

  /** Numbers that one image has in all tensors of a pass. */
  get values(): number {
    return this.#program.values;
  }

  dispose(): void {
    this.#tf.dispose([...this.#weights.values(), ...this.#constants.values()]);
  }

  #stepOf({ node, outputs }: TopStep, values: Map<string, Value>, count: number): Step {
    const at = (place: number): Value | undefined => {
      const name = node.input?.[place] ?? '';
      if (name === '') return undefined;
      const made = values.get(name);
      if (made) return made;
      const constant = this.#weights.get(name) ?? this.#constants.get(name);
      if (!constant) return undefined;
      const { each } = this.#program.constants.get(name) ?? {};
      const repeats = constant.shape.map((_, axis) => (axis === 0 ? count : 1));
      return plainValue(each ? this.#tf.tile(constant, repeats) : constant);
    };
    return {
      tf: this.#tf,
      node,
      input: at,
      needed: (place) => at(place)!,
      kernel: (place) => this.#weights.get(node.input![place]!)! as Tensor as Tensor4D,
      numbers: (place) => (node.input?.[place] ? this.#program.numbers(node.input[place]) : undefined),
      outputs: outputs.map((dims) => dimsFor(dims, count)),
    };
  }
}

/** `[O, I, h, w]` → `[h, w, I, O]` */
function outputsLast(values: Float32Array, dims: number[]): Float32Array {
  const [O, I, H, W] = dims as [number, number, number, number];
  const moved = new Float32Array(values.length);
  for (let o = 0; o < O; o += 1)
    for (let i = 0; i < I; i += 1)
      for (let p = 0; p < H * W; p += 1) moved[(p * I + i) * O + o] = values[(o * I + i) * H * W + p]!;
  return moved;
}

/** `[h, w, I, O]` → `[O, I, h, w]`; `dims` are those of the latter. */
function outputsFirst(values: Float32Array, dims: number[]): Float32Array {
  const [O, I, H, W] = dims as [number, number, number, number];
  const moved = new Float32Array(values.length);
  for (let o = 0; o < O; o += 1)
    for (let i = 0; i < I; i += 1)
      for (let p = 0; p < H * W; p += 1) moved[(o * I + i) * H * W + p] = values[(p * I + i) * O + o]!;
  return moved;
}
