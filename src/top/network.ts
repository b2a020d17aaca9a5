import type { Tensor, Tensor2D, Tensor4D, Variable } from '@tensorflow/tfjs-core';
import type { Engine } from '../heads/engine.js';
import { trunkDimensions } from '../onnx/cut-graph.js';
import type { FloatConstant } from '../onnx/float-constant.js';
import type { MapSize, Pads, TopOperation, TopProgram, TopStep } from './program.js';

/** A weight that is trained. Its values lie as the engine wants them: kernels `[h, w, inputs, outputs]`. */
export interface Parameter {
  name: string;
  variable: Variable;
}

/** What a pass leaves for the way back: the maps, by name. */
export interface Pass {
  maps: Map<string, Tensor2D>;
  /** `[N, D]` */
  features: Tensor2D;
  count: number;
}

/**
 * A top on the engine, with weights that can be trained. The gradients are written out: the WebAssembly engine has none
 * for the kernels of a convolution, and multiplies transposed operands on a slow path. Depthwise kernels stay as they
 * are (nine numbers a channel, and the most expensive gradient); means and variances of a normalisation do, too.
 */
export class TopNetwork {
  readonly parameters: Parameter[] = [];
  readonly #tf: Engine['tf'];
  readonly #program: TopProgram;
  readonly #weights = new Map<string, Variable>();

  constructor(engine: Engine, program: TopProgram, weights: Map<string, FloatConstant> = program.weights) {
    this.#tf = engine.tf;
    this.#program = program;
    const trained = trainedWeights(program);
    for (const [name, { dims, values }] of weights) {
      const shape = dims.length === 4 ? [dims[2]!, dims[3]!, dims[1]!, dims[0]!] : dims;
      const variable = this.#tf.tidy(() => {
        const tensor = this.#tf.tensor(dims.length === 4 ? outputsLast(values, dims) : values, shape as [number]);
        return this.#tf.variable(tensor) as never;
      }) as Variable;
      this.#weights.set(name, variable);
      if (trained.has(name)) this.parameters.push({ name, variable });
    }
  }

  /** The weights as ONNX lays them out. */
  weights(): Map<string, FloatConstant> {
    return new Map(
      [...this.#weights].map(([name, variable]) => {
        const { dims } = this.#program.weights.get(name)!;
        const values = variable.dataSync() as Float32Array;
        return [name, { dims, values: dims.length === 4 ? outputsFirst(values, dims) : values.slice() }];
      }),
    );
  }

  /** @param x float32 `[count, T]`, as the trunk answers */
  forward(x: Float32Array, count: number): Pass {
    const tf = this.#tf;
    const { cut, steps, features } = this.#program;
    const maps = new Map<string, Tensor2D>();
    const input = tf.tensor2d(x, [count, trunkDimensions(cut)]);
    const places = cut.height * cut.width;
    const map = tf.reshape(tf.slice(input, [0, 0], [count, cut.channels * places]), [count, cut.channels, places]);
    maps.set(cut.tensor, tf.reshape(tf.transpose(map, [0, 2, 1]), [count * places, cut.channels]));
    let offset = cut.channels * places;
    for (const { name, dimensions } of cut.pooled) {
      maps.set(name, tf.slice(input, [0, offset], [count, dimensions]));
      offset += dimensions;
    }
    for (const step of steps) maps.set(step.output, this.#apply(step, maps, count));
    return { maps, features: maps.get(features)!, count };
  }

  /**
   * Gradients of the parameters, in their order.
   * @param gradient of the features, `[N, D]`
   */
  backward({ maps, count }: Pass, gradient: Tensor2D): Tensor[] {
    const { cut, steps, features } = this.#program;
    const frozen = new Set([cut.tensor, ...cut.pooled.map(({ name }) => name)]);
    const ofMaps = new Map<string, Tensor2D>([[features, gradient]]);
    const ofWeights = new Map<string, Tensor>();
    for (const step of [...steps].reverse()) {
      const dy = ofMaps.get(step.output);
      if (!dy) continue;
      const wanted = step.inputs.map((name) => !frozen.has(name));
      const inputs = this.#applyBack(step, { dy, maps, count, wanted, ofWeights });
      for (const [i, name] of step.inputs.entries()) {
        const [known, more] = [ofMaps.get(name), inputs[i]];
        if (more && wanted[i]) ofMaps.set(name, known ? this.#tf.add(known, more) : more);
      }
    }
    return this.parameters.map(({ name }) => ofWeights.get(name)!);
  }

  dispose(): void {
    this.#tf.dispose([...this.#weights.values()]);
  }

  #apply(step: TopStep, maps: Map<string, Tensor2D>, count: number): Tensor2D {
    const tf = this.#tf;
    const inputs = step.inputs.map((name) => maps.get(name)!);
    const x = inputs[0]!;
    const from = this.#program.sizes.get(step.inputs[0]!)!;
    switch (step.kind) {
      case 'convolution': {
        const w = this.#weights.get(step.weight)!;
        const rows = isPointwise(step)
          ? (tf.matMul(x, tf.reshape(w, [from.channels, step.size.channels])) as Tensor2D)
          : rowsOf(tf, tf.conv2d(this.#padded(x, from, step.pads, count), w as never, step.stride, 'valid'));
        return this.#biased(rows, step.bias);
      }
      case 'depthwise': {
        const w = tf.reshape(this.#weights.get(step.weight)!, [...step.kernel, from.channels, 1] as never) as Tensor4D;
        const padded = this.#padded(x, from, step.pads, count);
        return this.#biased(rowsOf(tf, tf.depthwiseConv2d(padded, w, step.stride, 'valid')), step.bias);
      }
      case 'normalization': {
        const [scale, bias] = [this.#weights.get(step.scale)!, this.#weights.get(step.bias)!];
        return tf.add(tf.mul(this.#normalized(step, x), scale), bias);
      }
      case 'clip':
        return Number.isFinite(step.high) || step.low !== 0 ? tf.clipByValue(x, step.low, step.high) : tf.relu(x);
      case 'add':
        return tf.add(x, inputs[1]!);
      case 'concatenation':
        return inputs.length === 1 ? x : tf.concat(inputs, 1);
      case 'average':
        return rowsOf(tf, tf.avgPool(mapOf(tf, x, from, count), step.window, step.window, 'valid'));
      case 'mean':
        return tf.mean(tf.reshape(x, [count, from.height * from.width, from.channels]), 1);
      case 'same':
        return x;
    }
  }

  /** Gradients of a step's inputs; those of its weights go into `ofWeights`. */
  #applyBack(
    step: TopStep,
    options: {
      dy: Tensor2D;
      maps: Map<string, Tensor2D>;
      count: number;
      wanted: boolean[];
      ofWeights: Map<string, Tensor>;
    },
  ): (Tensor2D | undefined)[] {
    const tf = this.#tf;
    const { dy, maps, count, wanted, ofWeights } = options;
    const x = maps.get(step.inputs[0]!)!;
    const from = this.#program.sizes.get(step.inputs[0]!)!;
    switch (step.kind) {
      case 'convolution': {
        if (step.bias) ofWeights.set(step.bias, tf.sum(dy, 0));
        const [I, O] = [from.channels, step.size.channels];
        const w = this.#weights.get(step.weight)! as Tensor as Tensor4D;
        if (isPointwise(step)) {
          const kernel = tf.matMul(tf.transpose(x), dy);
          ofWeights.set(step.weight, tf.reshape(kernel, [1, 1, I, O]));
          return [wanted[0] ? (tf.matMul(dy, tf.transpose(tf.reshape(w, [I, O]))) as Tensor2D) : undefined];
        }
        ofWeights.set(step.weight, this.#kernelGradient(step, this.#padded(x, from, step.pads, count), dy, count));
        if (!wanted[0]) return [undefined];
        const flipped = tf.transpose(tf.reverse(w, [0, 1]), [0, 1, 3, 2]);
        return [this.#unpadded(tf.conv2d(this.#spread(step, from, dy, count), flipped, 1, 'valid'), from, step.pads)];
      }
      case 'depthwise': {
        if (step.bias) ofWeights.set(step.bias, tf.sum(dy, 0));
        if (!wanted[0]) return [undefined];
        const kernel = [...step.kernel, from.channels, 1] as [number, number, number, number];
        const flipped = tf.reverse(tf.reshape(this.#weights.get(step.weight)!, kernel), [0, 1]) as Tensor4D;
        const spread = this.#spread(step, from, dy, count);
        return [this.#unpadded(tf.depthwiseConv2d(spread, flipped, 1, 'valid'), from, step.pads)];
      }
      case 'normalization': {
        ofWeights.set(step.bias, tf.sum(dy, 0));
        ofWeights.set(step.scale, tf.sum(tf.mul(dy, this.#normalized(step, x)), 0));
        const slope = tf.mul(this.#weights.get(step.scale)!, this.#inverseDeviation(step));
        return [tf.mul(dy, slope) as Tensor2D];
      }
      case 'clip': {
        const y = maps.get(step.output)!;
        // Positive exactly between the bounds.
        const above = Number.isFinite(step.low) ? tf.sub(y, step.low) : undefined;
        const below = Number.isFinite(step.high) ? tf.sub(step.high, y) : undefined;
        const inside = above && below ? tf.mul(above, below) : (above ?? below);
        return [inside ? (tf.mul(dy, tf.step(inside)) as Tensor2D) : dy];
      }
      case 'add':
        return [dy, dy];
      case 'concatenation': {
        let offset = 0;
        return step.inputs.map((name, i) => {
          const { channels } = this.#program.sizes.get(name)!;
          const part = wanted[i] ? tf.slice(dy, [0, offset], [dy.shape[0], channels]) : undefined;
          offset += channels;
          return part;
        });
      }
      case 'average': {
        const share = tf.div(mapOf(tf, dy, step.size, count), step.window ** 2) as Tensor4D;
        return [
          rowsOf(
            tf,
            spaced(tf, share, step.window, (part) => part),
          ),
        ];
      }
      case 'mean': {
        const places = from.height * from.width;
        const share = tf.reshape(tf.div(dy, places), [count, 1, from.channels]);
        return [tf.reshape(tf.tile(share, [1, places, 1]), [count * places, from.channels])];
      }
      case 'same':
        return [dy];
    }
  }

  #biased(rows: Tensor2D, bias: string | undefined): Tensor2D {
    return bias ? this.#tf.add(rows, this.#weights.get(bias)!) : rows;
  }

  #inverseDeviation({ variance, epsilon }: Extract<TopOperation, { kind: 'normalization' }>): Tensor {
    return this.#tf.rsqrt(this.#tf.add(this.#weights.get(variance)!, epsilon));
  }

  #normalized(step: Extract<TopOperation, { kind: 'normalization' }>, x: Tensor2D): Tensor2D {
    return this.#tf.mul(this.#tf.sub(x, this.#weights.get(step.mean)!), this.#inverseDeviation(step));
  }

  #padded(x: Tensor2D, size: MapSize, { top, left, bottom, right }: Pads, count: number): Tensor4D {
    const map = mapOf(this.#tf, x, size, count);
    if (top + left + bottom + right === 0) return map;
    return this.#tf.pad(map, [
      [0, 0],
      [top, bottom],
      [left, right],
      [0, 0],
    ]);
  }

  #unpadded(map: Tensor4D, { height, width, channels }: MapSize, { top, left }: Pads): Tensor2D {
    const [count] = map.shape;
    return rowsOf(this.#tf, this.#tf.slice(map, [0, top, left, 0], [count, height, width, channels]));
  }

  /** Gradient of a kernel: for each of its places, the inputs seen there against the outputs' gradients. */
  #kernelGradient(step: Convolution, padded: Tensor4D, dy: Tensor2D, count: number): Tensor {
    const tf = this.#tf;
    const { height, width, channels } = step.size;
    const [high, wide] = step.kernel as [number, number];
    const inputs = padded.shape[3];
    const parts: Tensor2D[] = [];
    for (let i = 0; i < high; i += 1) {
      for (let j = 0; j < wide; j += 1) {
        const extent = (length: number) => (length - 1) * step.stride + 1;
        const begin = [0, i, j, 0];
        const end = [count, i + extent(height), j + extent(width), inputs];
        const seen = tf.stridedSlice(padded, begin, end, [1, step.stride, step.stride, 1]) as Tensor4D;
        parts.push(tf.matMul(tf.transpose(rowsOf(tf, seen)), dy));
      }
    }
    return tf.reshape(tf.concat(parts, 0), [high, wide, inputs, channels]);
  }

  /** The outputs' gradient with zeros between (a stride leaves places out) and around, for the way back of a convolution. */
  #spread(step: Convolution | Depthwise, from: MapSize, dy: Tensor2D, count: number): Tensor4D {
    const tf = this.#tf;
    const { stride, pads } = step;
    const [high, wide] = step.kernel as [number, number];
    const { height, width } = step.size;
    const [tall, broad] = [(height - 1) * stride + 1, (width - 1) * stride + 1];
    const map = mapOf(tf, dy, step.size, count);
    const apart = spaced(tf, map, stride, (part) => tf.zerosLike(part));
    const cropped = tf.slice(apart, [0, 0, 0, 0], [count, tall, broad, step.size.channels]);
    return tf.pad(cropped, [
      [0, 0],
      [high - 1, from.height + pads.top + pads.bottom - tall],
      [wide - 1, from.width + pads.left + pads.right - broad],
      [0, 0],
    ]);
  }
}

type Convolution = Extract<TopStep, { kind: 'convolution' }>;
type Depthwise = Extract<TopStep, { kind: 'depthwise' }>;

/** Names of the weights that are trained. */
function trainedWeights({ steps }: TopProgram): Set<string> {
  const names = steps.flatMap((step) => {
    if (step.kind === 'normalization') return [step.scale, step.bias];
    if (step.kind === 'convolution') return [step.weight, ...(step.bias ? [step.bias] : [])];
    return step.kind === 'depthwise' && step.bias ? [step.bias] : [];
  });
  return new Set(names);
}

function isPointwise({ kernel, stride, pads }: Convolution): boolean {
  return kernel.every((side) => side === 1) && stride === 1 && Object.values(pads).every((pad) => pad === 0);
}

function mapOf(tf: Engine['tf'], rows: Tensor2D, { height, width, channels }: MapSize, count: number): Tensor4D {
  return tf.reshape(rows, [count, height, width, channels]);
}

function rowsOf(tf: Engine['tf'], map: Tensor4D): Tensor2D {
  const [count, height, width, channels] = map.shape;
  return tf.reshape(map, [count * height * width, channels]);
}

/** Each place of a map `times` as wide and high: itself, then what `fill` makes of it. */
function spaced(tf: Engine['tf'], map: Tensor4D, times: number, fill: (part: Tensor2D) => Tensor2D): Tensor4D {
  if (times === 1) return map;
  const [count, height, width, channels] = map.shape;
  const beside = (rows: Tensor2D, fillWith = fill(rows)) =>
    tf.concat([rows, ...new Array<Tensor2D>(times - 1).fill(fillWith)], 1);
  const wide = tf.reshape(beside(tf.reshape(map, [-1, channels])), [count * height, width * times * channels]);
  return tf.reshape(beside(wide as Tensor2D), [count, height * times, width * times, channels]);
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
