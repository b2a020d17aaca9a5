/** Layers of networks as exporters write them, PyTorch's and Keras's, so that a test can put a narrow network together. */
import { buildNode, floatTensor, int64Tensor, valueInfo } from '../../src/onnx/build-node.js';
import { type Attribute, ELEMENT, encodeModel, type GraphNode, onnx, type Tensor } from '../../src/onnx/model-proto.js';
import { gaussianFrom } from '../../src/numbers/random.js';
import { modelOf } from './onnx-models.js';
import { randomFrom } from './photos.js';

const { AttributeType } = onnx.AttributeProto;

export type Attributes = Record<string, number | number[] | string | { f: number }>;

/** A node whose attributes may be decimal numbers and texts, too. */
export function nodeWith(opType: string, inputs: string[], outputs: string[], attributes: Attributes = {}): GraphNode {
  const whole: Record<string, number | number[]> = {};
  const others: Attribute[] = [];
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'string') others.push({ name, type: AttributeType.STRING, s: Buffer.from(value) });
    else if (typeof value === 'object' && 'f' in value) others.push({ name, type: AttributeType.FLOAT, f: value.f });
    else whole[name] = value as number;
  }
  const built = buildNode(opType, { inputs, outputs, attributes: whole });
  return { ...built, attribute: [...built.attribute!, ...others] };
}

/**
 * `torch`: channels first; padding in the convolutions; normalisations folded into them where nothing lies between;
 * dense layers as Gemm. `keras`: channels last outside, transposed within; padding as SAME_UPPER or nodes of its own;
 * normalisations as factors and offsets; dense layers as MatMul and Add; flattened with channels last.
 */
export type Idiom = 'torch' | 'keras';
export type Activation = 'relu' | 'relu6' | 'hard-swish' | 'swish' | 'gelu' | 'none';

interface Convolution {
  kernel?: number | [number, number];
  stride?: number;
  /** `valid`: none. Default: the size stays, but for the stride. */
  padding?: 'same' | 'valid';
  /** As many as there are channels: depthwise. */
  group?: number;
  normalised?: boolean;
  activation?: Activation;
}

/** A map `[N, C, h, w]` somewhere in the network. */
export interface MapOf {
  name: string;
  channels: number;
  side: number;
}

/** A network that grows. Weights are random, so scaled that activations live. */
export class Layers {
  readonly idiom: Idiom;
  readonly input: MapOf;
  readonly #nodes: GraphNode[] = [];
  readonly #constants: Tensor[] = [];
  readonly #gaussian: () => number;
  readonly #side: number;
  #count = 0;

  constructor({ idiom, side, seed = 1 }: { idiom: Idiom; side: number; seed?: number }) {
    this.idiom = idiom;
    this.#side = side;
    this.#gaussian = gaussianFrom(randomFrom(seed));
    this.input = { name: 'input', channels: 3, side };
    if (idiom === 'keras') this.input.name = this.node('Transpose', ['input'], { perm: [0, 3, 1, 2] });
  }

  /** A node with one output. @returns its name */
  node(opType: string, inputs: string[], attributes: Attributes = {}): string {
    this.#count += 1;
    const name = `${opType.toLowerCase()}_${this.#count}`;
    this.#nodes.push(nodeWith(opType, inputs, [name], attributes));
    return name;
  }

  /** A node with several outputs. */
  nodes(opType: string, inputs: string[], count: number, attributes: Attributes = {}): string[] {
    this.#count += 1;
    const names = Array.from({ length: count }, (_, i) => `${opType.toLowerCase()}_${this.#count}_${i}`);
    this.#nodes.push(nodeWith(opType, inputs, names, attributes));
    return names;
  }

  constant(tensor: Tensor): string {
    this.#constants.push(tensor);
    return tensor.name!;
  }

  integers(...values: number[]): string {
    this.#count += 1;
    return this.constant(int64Tensor(`integers_${this.#count}`, values));
  }

  number(value: number): string {
    this.#count += 1;
    return this.constant(floatTensor(`number_${this.#count}`, [], [value]));
  }

  /** Random numbers around `mean`. */
  random(dims: number[], { deviation, mean = 0 }: { deviation: number; mean?: number }): string {
    this.#count += 1;
    const values = Array.from(
      { length: dims.reduce((product, d) => product * d, 1) },
      () => mean + deviation * this.#gaussian(),
    );
    return this.constant(floatTensor(`weights_${this.#count}`, dims, values));
  }

  conv(from: MapOf, channels: number, options: Convolution = {}): MapOf {
    const { stride = 1, padding = 'same', group = 1, normalised = true, activation = 'relu' } = options;
    const [high, wide] =
      [options.kernel ?? 3].flat().length === 2
        ? (options.kernel as number[])
        : [options.kernel ?? 3, options.kernel ?? 3];
    const kernel = [high, wide] as [number, number];
    const gain = activation === 'none' ? 1 : Math.SQRT2;
    const fanIn = (from.channels / group) * kernel[0] * kernel[1];
    const w = this.random([channels, from.channels / group, ...kernel], { deviation: gain / Math.sqrt(fanIn) });
    const attributes: Attributes = { kernel_shape: kernel, strides: [stride, stride], group };
    let { name } = from;
    if (padding === 'same') {
      const around = kernel.map((side) => Math.floor(side / 2));
      if (this.idiom === 'torch') attributes.pads = [...around, ...around];
      else if (stride === 1) attributes.auto_pad = 'SAME_UPPER';
      else name = this.node('Pad', [name, this.integers(0, 0, ...around, 0, 0, ...around)], { mode: 'constant' });
    }
    const folded = normalised && this.idiom === 'torch';
    const inputs = [name, w, ...(folded || !normalised ? [this.random([channels], { deviation: 0.1 })] : [])];
    name = this.node('Conv', inputs, attributes);
    const length = (side: number) =>
      Math.floor((from.side + (padding === 'same' ? 2 * Math.floor(side / 2) : 0) - side) / stride) + 1;
    const made = { name, channels, side: length(kernel[0]) };
    return this.activate(normalised && !folded ? this.normalise(made) : made, activation);
  }

  /** A normalisation of its own: a node, or as a factor and an offset. */
  normalise(from: MapOf): MapOf {
    const vector = (mean: number, dims = [from.channels]) => this.random(dims, { deviation: 0.1, mean });
    if (this.idiom === 'torch') {
      const inputs = [from.name, vector(1), vector(0), vector(0), vector(1)];
      return { ...from, name: this.node('BatchNormalization', inputs, { epsilon: { f: 1e-5 } }) };
    }
    const dims = [1, from.channels, 1, 1];
    return { ...from, name: this.node('Add', [this.node('Mul', [from.name, vector(1, dims)]), vector(0, dims)]) };
  }

  activate(from: MapOf, activation: Activation): MapOf {
    return { ...from, name: this.activated(from.name, activation) };
  }

  activated(x: string, activation: Activation): string {
    switch (activation) {
      case 'none':
        return x;
      case 'relu':
        return this.node('Relu', [x]);
      case 'relu6':
        if (this.idiom === 'torch') return this.node('Clip', [x, this.number(0), this.number(6)]);
        return this.node('Min', [this.node('Relu', [x]), this.number(6)]);
      case 'hard-swish': {
        if (this.idiom === 'torch') return this.node('HardSwish', [x]);
        const clipped = this.node('Clip', [this.node('Add', [x, this.number(3)]), this.number(0), this.number(6)]);
        return this.node('Mul', [x, this.node('Mul', [clipped, this.number(1 / 6)])]);
      }
      case 'swish':
        return this.node('Mul', [x, this.node('Sigmoid', [x])]);
      case 'gelu': {
        const share = this.node('Add', [
          this.node('Erf', [this.node('Mul', [x, this.number(Math.SQRT1_2)])]),
          this.number(1),
        ]);
        return this.node('Mul', [this.node('Mul', [x, this.number(0.5)]), share]);
      }
    }
  }

  /** Depthwise, then one place: as Xception and MobileNet have it. */
  separable(from: MapOf, channels: number, options: Convolution = {}): MapOf {
    const depthwise = { ...options, group: from.channels, activation: options.activation ?? 'none' } as const;
    return this.conv(this.conv(from, from.channels, depthwise), channels, {
      kernel: 1,
      activation: options.activation ?? 'none',
    });
  }

  pool(
    from: MapOf,
    kind: 'MaxPool' | 'AveragePool',
    options: { kernel: number; stride: number; same?: boolean },
  ): MapOf {
    const { kernel, stride, same = false } = options;
    const around = Math.floor(kernel / 2);
    const attributes: Attributes = { kernel_shape: [kernel, kernel], strides: [stride, stride] };
    let { name } = from;
    if (same && this.idiom === 'keras') attributes.auto_pad = 'SAME_UPPER';
    else if (same && kind === 'AveragePool') {
      // PyTorch counts the padding, and exports it as a node.
      name = this.node('Pad', [name, this.integers(0, 0, around, around, 0, 0, around, around)], { mode: 'constant' });
    } else if (same) attributes.pads = [around, around, around, around];
    const side = same
      ? this.idiom === 'keras'
        ? Math.ceil(from.side / stride)
        : Math.floor((from.side + 2 * around - kernel) / stride) + 1
      : Math.floor((from.side - kernel) / stride) + 1;
    return { ...from, name: this.node(kind, [name], attributes), side };
  }

  add(a: MapOf, b: MapOf, activation: Activation = 'none'): MapOf {
    return this.activate({ ...a, name: this.node('Add', [a.name, b.name]) }, activation);
  }

  concat(maps: MapOf[]): MapOf {
    const name = this.node(
      'Concat',
      maps.map((map) => map.name),
      { axis: 1 },
    );
    return { name, side: maps[0]!.side, channels: maps.reduce((sum, { channels }) => sum + channels, 0) };
  }

  /** Squeeze and excitation (Hu et al., 2018). */
  excite(from: MapOf, gate: 'hard' | 'soft'): MapOf {
    const inner = Math.max(2, Math.floor(from.channels / 4));
    const pooled = { ...from, name: this.node('GlobalAveragePool', [from.name]), side: 1 };
    const small = this.conv(pooled, inner, { kernel: 1, normalised: false });
    const wide = this.conv(small, from.channels, { kernel: 1, normalised: false, activation: 'none' });
    const share =
      gate === 'soft'
        ? this.node('Sigmoid', [wide.name])
        : this.node('HardSigmoid', [wide.name], { alpha: { f: 1 / 6 } });
    return { ...from, name: this.node('Mul', [share, from.name]) };
  }

  /** The mean of a map, `[N, C]`. */
  mean(from: MapOf): string {
    const pooled = this.node('GlobalAveragePool', [from.name]);
    if (this.idiom === 'torch') return this.node('Flatten', [pooled], { axis: 1 });
    return this.node('Squeeze', [pooled, this.integers(2, 3)]);
  }

  /** All numbers of a map, `[N, C · h · w]`. */
  flatten(from: MapOf): { name: string; length: number } {
    const length = from.channels * from.side ** 2;
    if (this.idiom === 'torch') return { name: this.node('Flatten', [from.name], { axis: 1 }), length };
    const last = this.node('Transpose', [from.name], { perm: [0, 2, 3, 1] });
    return { name: this.node('Reshape', [last, this.integers(-1, length)]), length };
  }

  dense(
    from: { name: string; length: number },
    units: number,
    activation: Activation = 'none',
  ): { name: string; length: number } {
    const deviation = (activation === 'none' ? 1 : Math.SQRT2) / Math.sqrt(from.length);
    const bias = this.random([units], { deviation: 0.1 });
    if (this.idiom === 'torch') {
      const w = this.random([units, from.length], { deviation });
      const name = this.node('Gemm', [from.name, w, bias], { transB: 1 });
      return { name: this.activated(name, activation), length: units };
    }
    const w = this.random([from.length, units], { deviation });
    const name = this.node('Add', [this.node('MatMul', [from.name, w]), bias]);
    return { name: this.activated(name, activation), length: units };
  }

  /** The file of a network whose classifier reads `features`. */
  classifier(features: { name: string; length: number }, classes = 10): Uint8Array {
    const logits = this.dense(features, classes);
    const output = this.idiom === 'keras' ? this.node('Softmax', [logits.name], { axis: -1 }) : logits.name;
    return this.file([output]);
  }

  file(outputs: string[], opset = 17): Uint8Array {
    const dims = this.idiom === 'torch' ? ['N', 3, this.#side, this.#side] : ['N', this.#side, this.#side, 3];
    const model = modelOf({
      inputs: [valueInfo('input', ELEMENT.float32, dims)],
      nodes: this.#nodes,
      constants: this.#constants,
      outputs,
      opset,
      irVersion: 8,
    });
    return encodeModel(model);
  }
}
