/**
 * Gradients of what the operators call, for the WebAssembly engine. It comes with none; TensorFlow.js has some that need
 * kernels which it lacks (those of a convolution's weights), or are slow on it: a product of transposed operands takes many
 * times as long as transposing first. The native library has its own, and keeps them.
 */
import type { GradConfig, NamedAttrMap, Tensor, Tensor4D } from '@tensorflow/tfjs-core';
import { type Engine, isNative } from '../../heads/engine.js';
import type { TensorFlow } from './contract.js';

type Gradients = Record<string, () => Tensor>;
type GradFunc = (dy: Tensor, saved: Tensor[], attrs: Attributes) => Gradients;
/** What a kernel was called with; each knows its own. */
type Attributes = Record<string, unknown>;

let ours: GradConfig[] | undefined;

/**
 * See to it that the engine's gradients are those here. Other parts of the library bring their own when they are loaded, at
 * any time: so whoever computes gradients asks anew.
 */
export function registerGradients(engine: Engine): void {
  const { tf } = engine;
  const native = isNative(engine);
  ours ??= native ? configs(tf).map((config) => besideNative(config, tf.getGradient(config.kernelName))) : configs(tf);
  for (const config of ours) if (tf.getGradient(config.kernelName) !== config) tf.registerGradient(config);
}

/** The native library's own gradient, where it has one; that of a dilated convolution it has not. */
function besideNative(config: GradConfig, theirs: GradConfig | undefined): GradConfig {
  if (!theirs) return config;
  if (!['Conv2D', 'DepthwiseConv2dNative'].includes(config.kernelName)) return theirs;
  const isDilated = (attrs: NamedAttrMap) => convolutionOf(attrs).dilations.some((dilation) => dilation !== 1);
  return {
    ...theirs,
    gradFunc: (dy, saved, attrs) => (isDilated(attrs) ? config : theirs).gradFunc(dy, saved, attrs),
  };
}

function configs(tf: TensorFlow): GradConfig[] {
  /** A kernel with one input. @param save whether the input is needed for the way back, or the output */
  const unary = (kernelName: string, save: 'x' | 'y' | undefined, slope: (value: Tensor, dy: Tensor) => Tensor) => ({
    kernelName,
    ...(save === 'x' && { inputsToSave: ['x'] }),
    ...(save === 'y' && { outputsToSave: [true] }),
    gradFunc: asGradFunc((dy, [value]) => ({ x: () => slope(value!, dy) })),
  });
  const binary = (
    kernelName: string,
    slopes: (saved: [Tensor, Tensor], dy: Tensor) => { a: () => Tensor; b: () => Tensor },
  ) => ({
    kernelName,
    inputsToSave: ['a', 'b'],
    gradFunc: asGradFunc((dy, saved) => {
      const [a, b] = saved as [Tensor, Tensor];
      const of = slopes([a, b], dy);
      return { a: () => summedTo(tf, of.a(), a.shape), b: () => summedTo(tf, of.b(), b.shape) };
    }),
  });
  const other = (kernelName: string, save: { inputs?: string[]; outputs?: boolean[] }, gradFunc: GradFunc) => ({
    kernelName,
    ...(save.inputs && { inputsToSave: save.inputs }),
    ...(save.outputs && { outputsToSave: save.outputs }),
    gradFunc: asGradFunc(gradFunc),
  });

  return [
    binary('Add', (_, dy) => ({ a: () => dy, b: () => dy })),
    binary('Sub', (_, dy) => ({ a: () => dy, b: () => tf.neg(dy) })),
    binary('Multiply', ([a, b], dy) => ({ a: () => tf.mul(dy, b), b: () => tf.mul(dy, a) })),
    binary('RealDiv', ([a, b], dy) => ({
      a: () => tf.div(dy, b),
      b: () => tf.neg(tf.div(tf.mul(dy, a), tf.square(b))),
    })),
    unary('Neg', undefined, (_, dy) => tf.neg(dy)),
    unary('Exp', 'y', (y, dy) => tf.mul(dy, y)),
    unary('Log', 'x', (x, dy) => tf.div(dy, x)),
    unary('Abs', 'x', (x, dy) => tf.mul(dy, tf.sub(tf.step(x), tf.step(tf.neg(x))))),
    unary('Sqrt', 'y', (y, dy) => tf.div(tf.mul(dy, 0.5), y)),
    unary('Rsqrt', 'y', (y, dy) => tf.mul(tf.mul(dy, -0.5), tf.mul(tf.square(y), y))),
    unary('Square', 'x', (x, dy) => tf.mul(dy, tf.mul(x, 2))),
    unary('Relu', 'y', (y, dy) => tf.mul(dy, tf.step(y))),
    unary('Sigmoid', 'y', (y, dy) => tf.mul(dy, tf.mul(y, tf.sub(1, y)))),
    unary('Tanh', 'y', (y, dy) => tf.mul(dy, tf.sub(1, tf.square(y)))),
    unary('Erf', 'x', (x, dy) => tf.mul(dy, tf.mul(tf.exp(tf.neg(tf.square(x))), 2 / Math.sqrt(Math.PI)))),
    unary('Identity', undefined, (_, dy) => tf.clone(dy)),
    unary('Cast', undefined, (_, dy) => tf.clone(dy)),
    other('Pow', { inputs: ['a', 'b'] }, (dy, saved) => {
      const [a, b] = saved as [Tensor, Tensor];
      return {
        a: () => tf.mul(dy, tf.mul(b, tf.pow(a, tf.sub(b, 1)))),
        b: () => summedTo(tf, tf.mul(dy, tf.mul(tf.pow(a, b), tf.log(a))), b.shape),
      };
    }),
    other('ClipByValue', { inputs: ['x'] }, (dy, [x], { clipValueMin, clipValueMax }) => ({
      // One exactly between the bounds.
      x: () => {
        const [low, high] = [clipValueMin as number, clipValueMax as number];
        const above = Number.isFinite(low) ? tf.step(tf.sub(x!, low)) : undefined;
        const below = Number.isFinite(high) ? tf.step(tf.sub(high, x!)) : undefined;
        const inside = above && below ? tf.mul(above, below) : (above ?? below);
        return inside ? tf.mul(dy, inside) : tf.clone(dy);
      },
    })),
    other('Reshape', { inputs: ['x'] }, (dy, [x]) => ({ x: () => tf.reshape(dy, x!.shape) })),
    other('ExpandDims', { inputs: ['input'] }, (dy, [x]) => ({ input: () => tf.reshape(dy, x!.shape) })),
    other('Transpose', {}, (dy, _, { perm }) => ({
      x: () => {
        const back = new Array<number>((perm as number[]).length);
        for (const [to, from] of (perm as number[]).entries()) back[from] = to;
        return tf.transpose(dy, back);
      },
    })),
    other('Sum', { inputs: ['x'] }, (dy, [x], { axis }) => ({ x: () => spreadTo(tf, dy, x!.shape, axis) })),
    other('Mean', { inputs: ['x'] }, (dy, [x], { axis }) => ({
      x: () => {
        const spread = spreadTo(tf, dy, x!.shape, axis);
        return tf.div(spread, x!.size / dy.size);
      },
    })),
    other('Max', { inputs: ['x'], outputs: [true] }, (dy, saved, { reductionIndices }) => {
      const [x, y] = saved as [Tensor, Tensor];
      const axes = reductionIndices as number[];
      const largest = () => tf.cast(tf.equal(x, spreadTo(tf, y, x.shape, axes)), 'float32');
      return { x: () => tf.mul(spreadTo(tf, dy, x.shape, axes), largest()) };
    }),
    other('Softmax', { outputs: [true] }, (dy, [y], { dim }) => ({
      logits: () => {
        const share = tf.mul(dy, y!);
        return tf.sub(share, tf.mul(tf.sum(share, [dim as number], true), y!));
      },
    })),
    {
      kernelName: 'Concat',
      saveAllInputs: true,
      gradFunc: (dy, saved, attrs) => {
        const { axis } = attrs as { axis: number };
        let offset = 0;
        const parts = saved.map(({ shape }, i) => {
          const at = axis < 0 ? axis + shape.length : axis;
          const begin = shape.map((_, each) => (each === at ? offset : 0));
          offset += shape[at]!;
          return [i, () => tf.slice(dy as Tensor, begin, shape)] as const;
        });
        return Object.fromEntries(parts) as never;
      },
    },
    {
      kernelName: 'SplitV',
      gradFunc: (dy, _, { axis }) => ({ x: () => tf.concat(dy as Tensor[], axis as number) }),
    },
    other('Slice', { inputs: ['x'] }, (dy, [x], { begin, size }) => ({
      x: () => {
        const sizes = (size as number[]).map((length, i) =>
          length < 0 ? x!.shape[i]! - (begin as number[])[i]! : length,
        );
        const around = x!.shape.map((length, i): [number, number] => {
          const first = (begin as number[])[i]!;
          return [first, length - first - sizes[i]!];
        });
        return tf.pad(dy, around);
      },
    })),
    other('StridedSlice', { inputs: ['x'] }, (dy, [x], attrs) => ({
      x: () => {
        const [begin, strides] = [attrs.begin as number[], attrs.strides as number[]];
        let apart = dy;
        for (const [axis, times] of strides.entries()) apart = spacedAlong(tf, apart, axis, times);
        const shape = x!.shape.map((length, i) => Math.min(apart.shape[i]!, length - begin[i]!));
        const whole = tf.slice(
          apart,
          shape.map(() => 0),
          shape,
        );
        return tf.pad(
          whole,
          x!.shape.map((length, i): [number, number] => [begin[i]!, length - begin[i]! - shape[i]!]),
        );
      },
    })),
    other('PadV2', { inputs: ['x'] }, (dy, [x], { paddings }) => ({
      x: () =>
        tf.slice(
          dy,
          (paddings as [number, number][]).map(([before]) => before),
          x!.shape,
        ),
    })),
    other('Tile', { inputs: ['x'] }, (dy, [x], { reps }) => ({
      x: () => {
        const apart = (reps as number[]).flatMap((times, i) => [times, x!.shape[i]!]);
        const repeated = (reps as number[]).map((_, i) => 2 * i);
        return tf.reshape(tf.sum(tf.reshape(dy, apart), repeated), x!.shape);
      },
    })),
    other('BatchMatMul', { inputs: ['a', 'b'] }, (dy, saved, attrs) => {
      const [a, b] = saved as [Tensor, Tensor];
      if (attrs.transposeA || attrs.transposeB) throw new Error('Operands are transposed first, see above.');
      const swapped = (x: Tensor) => {
        const axes = x.shape.map((_, i) => i);
        return tf.transpose(x, [...axes.slice(0, -2), axes.at(-1)!, axes.at(-2)!]);
      };
      return {
        a: () => summedTo(tf, tf.matMul(dy, swapped(b)), a.shape),
        b: () => summedTo(tf, tf.matMul(swapped(a), dy), b.shape),
      };
    }),
    other('MaxPool', { inputs: ['x'], outputs: [true] }, (dy, saved, { filterSize, strides, pad }) => {
      const [x, output] = saved as [Tensor, Tensor];
      return {
        x: () => {
          // The engine's kernel finds no largest number among negative ones, so all that can be one is lifted above 0.
          const input = tf.relu(tf.add(tf.sub(x, tf.min(output)), 1));
          const how = { filterSize, strides, pad } as NamedAttrMap;
          return tf.engine().runKernel('MaxPoolGrad', { dy, input, output }, how) as Tensor;
        },
      };
    }),
    other('AvgPool', { inputs: ['x'] }, (dy, [input], { filterSize, strides, pad }) => {
      const run = () =>
        tf
          .engine()
          .runKernel('AvgPoolGrad', { dy, input: input! }, { filterSize, strides, pad } as NamedAttrMap) as Tensor;
      return { x: run };
    }),
    other('LRN', { inputs: ['x'], outputs: [true] }, (dy, [x, y], { depthRadius, bias, alpha, beta }) => {
      const run = () =>
        tf
          .engine()
          .runKernel('LRNGrad', { x: x!, y: y!, dy }, { depthRadius, bias, alpha, beta } as NamedAttrMap) as Tensor;
      return { x: run };
    }),
    other('Conv2D', { inputs: ['x', 'filter'] }, (dy, saved, attrs) => {
      const [x, kernel] = saved as [Tensor4D, Tensor4D];
      const how = convolutionOf(attrs);
      return {
        x: () => {
          const flipped = tf.transpose(tf.reverse(kernel, [0, 1]), [0, 1, 3, 2]);
          const map = spread(tf, dy as Tensor4D, { x, kernel, ...how });
          return tf.conv2d(map, flipped, 1, 'valid', 'NHWC', how.dilations);
        },
        filter: () =>
          tf.reshape(
            seenThrough(tf, { x, dy: dy as Tensor4D, kernel, ...how }, (seen, rows) =>
              tf.matMul(tf.transpose(seen), rows),
            ),
            kernel.shape,
          ),
      };
    }),
    other('DepthwiseConv2dNative', { inputs: ['x', 'filter'] }, (dy, saved, attrs) => {
      const [x, kernel] = saved as [Tensor4D, Tensor4D];
      const how = convolutionOf(attrs);
      const [high, wide, inputs, times] = kernel.shape;
      // With several outputs a channel, each is a convolution of its own.
      const ofEach = (compute: (part: Tensor4D, kernel: Tensor4D) => Tensor) =>
        Array.from({ length: times }, (_, i) => {
          const map = dy as Tensor4D;
          const [N, height, width] = map.shape;
          const apart = tf.reshape(map, [N * height * width, inputs, times]);
          const part =
            times === 1 ? map : tf.reshape(tf.slice(apart, [0, 0, i], [-1, inputs, 1]), [N, height, width, inputs]);
          const own = times === 1 ? kernel : tf.slice(kernel, [0, 0, 0, i], [high, wide, inputs, 1]);
          return compute(part as Tensor4D, own as Tensor4D);
        });
      return {
        x: () =>
          ofEach((part, own) => {
            const map = spread(tf, part, { x, kernel, ...how });
            return tf.depthwiseConv2d(map, tf.reverse(own, [0, 1]) as Tensor4D, 1, 'valid', 'NHWC', how.dilations);
          }).reduce((sum, part) => tf.add(sum, part)),
        filter: () => {
          const parts = ofEach((part) =>
            tf.reshape(
              seenThrough(tf, { x, dy: part, kernel, ...how }, (seen, rows) => sumOfRows(tf, tf.mul(seen, rows))),
              [high, wide, inputs, 1],
            ),
          );
          return parts.length === 1 ? parts[0]! : tf.concat(parts, 3);
        },
      };
    }),
  ];
}

/** The library's types ask for less than it hands over. */
function asGradFunc(gradFunc: GradFunc): GradConfig['gradFunc'] {
  return gradFunc as never;
}

interface Convolution {
  strides: [number, number];
  dilations: [number, number];
}

/** How a convolution moves; operators pad before it. */
function convolutionOf(attrs: Attributes): Convolution {
  const both = (value: unknown) => (typeof value === 'number' ? [value, value] : value) as [number, number];
  return { strides: both(attrs.strides), dilations: both(attrs.dilations) };
}

/**
 * For each place of a kernel, what the inputs that are seen there and the outputs' gradients make together; all of them
 * one below the other.
 */
function seenThrough(
  tf: TensorFlow,
  { x, dy, kernel, strides, dilations }: Convolution & { x: Tensor4D; dy: Tensor4D; kernel: Tensor4D },
  compute: (seen: Tensor, rows: Tensor) => Tensor,
): Tensor {
  const [count, , , inputs] = x.shape;
  const [, height, width] = dy.shape;
  const [high, wide] = kernel.shape;
  const rows = tf.reshape(dy, [-1, dy.shape[3]]);
  const parts: Tensor[] = [];
  for (let i = 0; i < high; i += 1) {
    for (let j = 0; j < wide; j += 1) {
      const begin = [0, i * dilations[0], j * dilations[1], 0];
      const [tall, broad] = [(height - 1) * strides[0] + 1, (width - 1) * strides[1] + 1];
      const seen =
        strides[0] === 1 && strides[1] === 1
          ? tf.slice(x, begin, [count, tall, broad, inputs])
          : tf.stridedSlice(x, begin, [count, begin[1]! + tall, begin[2]! + broad, inputs], [1, ...strides, 1]);
      parts.push(compute(tf.reshape(seen, [-1, inputs]), rows));
    }
  }
  return parts.length === 1 ? parts[0]! : tf.concat(parts, 0);
}

/** The outputs' gradient with zeros between (a stride leaves places out) and around, for the way back of a convolution. */
function spread(
  tf: TensorFlow,
  dy: Tensor4D,
  { x, kernel, strides, dilations }: Convolution & { x: Tensor4D; kernel: Tensor4D },
): Tensor4D {
  const [count, height, width, channels] = dy.shape;
  const [high, wide] = kernel.shape;
  const [tall, broad] = [(height - 1) * strides[0] + 1, (width - 1) * strides[1] + 1];
  const apart = spacedAlong(tf, spacedAlong(tf, dy, 2, strides[1]), 1, strides[0]);
  const cropped = tf.slice(apart as Tensor4D, [0, 0, 0, 0], [count, tall, broad, channels]);
  const [above, left] = [(high - 1) * dilations[0], (wide - 1) * dilations[1]];
  return tf.pad(cropped, [
    [0, 0],
    [above, x.shape[1] - tall],
    [left, x.shape[2] - broad],
    [0, 0],
  ]);
}

/** Along an axis, each place and then zeros, so that it is `times` as long. */
function spacedAlong(tf: TensorFlow, x: Tensor, axis: number, times: number): Tensor {
  if (times === 1) return x;
  const rest = x.shape.slice(axis + 1).reduce((product, d) => product * d, 1);
  const wider = tf.pad(tf.reshape(x, [-1, rest]), [
    [0, 0],
    [0, (times - 1) * rest],
  ]);
  return tf.reshape(
    wider,
    x.shape.map((d, i) => (i === axis ? d * times : d)),
  );
}

/** `[R, C]` → `[1, C]`, as a product: five times as fast as the engine's sum over rows. */
function sumOfRows(tf: TensorFlow, rows: Tensor): Tensor {
  return tf.matMul(tf.ones([1, rows.shape[0]!]), rows);
}

/** The gradient of what was repeated to the size of others: the sum over the axes where it was. */
function summedTo(tf: TensorFlow, dy: Tensor, shape: number[]): Tensor {
  // Never `dy` itself: the library lets go of a gradient once it has added it to another.
  if (dy.shape.join() === shape.join()) return tf.clone(dy);
  const dims = [...new Array<number>(dy.rank - shape.length).fill(1), ...shape];
  const channels = dims.at(-1)!;
  if (dims.slice(0, -1).every((d) => d === 1) && channels === dy.shape.at(-1)) {
    return tf.reshape(sumOfRows(tf, tf.reshape(dy, [-1, channels])), shape);
  }
  const axes = dims.flatMap((d, i) => (d === 1 && dy.shape[i] !== 1 ? [i] : []));
  return tf.reshape(tf.sum(dy, axes), shape);
}

/** What was summed over axes, all where none are named, at every place that was summed. */
function spreadTo(tf: TensorFlow, dy: Tensor, shape: number[], axis: unknown): Tensor {
  const named = axis === undefined || axis === null ? shape.map((_, i) => i) : [axis].flat().map(Number);
  const axes = named.map((each) => (each < 0 ? each + shape.length : each));
  const kept = shape.map((d, i) => (axes.includes(i) ? 1 : d));
  return tf.tile(
    tf.reshape(dy, kept),
    shape.map((d, i) => (axes.includes(i) ? d : 1)),
  );
}
