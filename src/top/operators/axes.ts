/** Operators that move numbers, take some of them, or bring them together along axes. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { intAttribute, intsAttribute } from '../../onnx/read-node.js';
import type { Operator, TensorFlow } from './contract.js';
import { alike, asMap, axisAt, mapValue, plain, plainValue, valueIn } from './values.js';

/** The same numbers under other dimensions, which the shapes of a pass tell. */
const reshaped: Operator = {
  run: (step) => plainValue(step.tf.reshape(plain(step.tf, step.needed(0)), step.outputs[0]!)),
};

/** One number instead of those along axes, all where none are named. */
function reduction(compute: (tf: TensorFlow, x: Tensor, axes: number[], keep: boolean) => Tensor): Operator {
  return {
    run(step) {
      const { tf, node } = step;
      const given = step.needed(0);
      const rank = given.dims.length;
      const named = intsAttribute(node, 'axes') ?? step.numbers(1);
      const axes = (named?.length ? named : given.dims.map((_, i) => i)).map((axis) => (axis < 0 ? axis + rank : axis));
      const keep = intAttribute(node, 'keepdims', 1) === 1;
      // Without its places a map is `[N, C]` in both orders; other axes that go away leave the rest in another order.
      const places = [...axes].sort().join() === '2,3';
      const x = keep || places ? given : plainValue(plain(tf, given));
      const at = axes.map((axis) => axisAt(axis, rank, x.channelsLast));
      return valueIn(compute(tf, x.tensor, at, keep), x.channelsLast && keep);
    },
  };
}

const GlobalAveragePool: Operator = {
  run: ({ tf, needed }) => mapValue(tf.mean(asMap(tf, needed(0)), [1, 2], true)),
};

const Concat: Operator = {
  run(step) {
    const { tf, node } = step;
    const values = node.input!.map((_, place) => step.needed(place));
    const { tensors, channelsLast } = alike(tf, values);
    const axis = axisAt(intAttribute(node, 'axis', 1), values[0]!.dims.length, channelsLast);
    return valueIn(tensors.length === 1 ? tensors[0]! : tf.concat(tensors, axis), channelsLast);
  },
};

const Transpose: Operator = {
  run(step) {
    const { tf, node } = step;
    const x = step.needed(0);
    const rank = x.dims.length;
    const perm = intsAttribute(node, 'perm') ?? Array.from({ length: rank }, (_, i) => rank - 1 - i);
    // Between the two orders of a map nothing moves.
    if (x.channelsLast && perm.join() === '0,2,3,1') return plainValue(x.tensor);
    if (!x.channelsLast && perm.join() === '0,3,1,2') return mapValue(x.tensor);
    return plainValue(tf.transpose(plain(tf, x), perm));
  },
};

/** One index, or several, along an axis. */
const Gather: Operator = {
  refuses: ({ constant }) => ((constant(1)?.length ?? 2) < 2 ? undefined : 'its indices are no constants of one row'),
  run(step) {
    const { tf, node } = step;
    const x = step.needed(0);
    const axis = axisAt(intAttribute(node, 'axis', 0), x.dims.length, false);
    const values = plain(tf, x);
    const length = x.dims[axis]!;
    const indices = step.numbers(1)!.map((index) => (index < 0 ? index + length : index));
    const parts = indices.map((index) => {
      const begin = x.dims.map((_, i) => (i === axis ? index : 0));
      return tf.slice(
        values,
        begin,
        x.dims.map((d, i) => (i === axis ? 1 : d)),
      );
    });
    return plainValue(tf.reshape(parts.length === 1 ? parts[0]! : tf.concat(parts, axis), step.outputs[0]!));
  },
};

/** Rows from `starts` to `ends` along axes: attributes until opset 9, inputs since. */
const Slice: Operator = {
  refuses({ node, constant }) {
    if (!intsAttribute(node, 'starts') && !(constant(1) && constant(2))) return 'where it starts is no constant';
    return undefined;
  },
  run(step) {
    const { tf, node } = step;
    const x = step.needed(0);
    const rank = x.dims.length;
    const starts = intsAttribute(node, 'starts') ?? step.numbers(1)!;
    const ends = intsAttribute(node, 'ends') ?? step.numbers(2)!;
    const axes = intsAttribute(node, 'axes') ?? step.numbers(3) ?? starts.map((_, i) => i);
    const steps = step.numbers(4) ?? starts.map(() => 1);
    const [begin, end, stride] = [x.dims.map(() => 0), [...x.dims], x.dims.map(() => 1)];
    for (const [i, named] of axes.entries()) {
      const axis = named < 0 ? named + rank : named;
      const length = x.dims[axis]!;
      const at = (place: number) => Math.max(0, Math.min(length, place < 0 ? place + length : place));
      [begin[axis], end[axis], stride[axis]] = [at(starts[i]!), at(ends[i]!), steps[i]!];
    }
    const order = x.channelsLast ? [0, 2, 3, 1] : x.dims.map((_, i) => i);
    const [from, to, by] = [begin, end, stride].map((list) => order.map((axis) => list![axis]!));
    if (by!.every((one) => one === 1)) {
      return valueIn(
        tf.slice(
          x.tensor,
          from!,
          to!.map((last, i) => last - from![i]!),
        ),
        x.channelsLast,
      );
    }
    return valueIn(tf.stridedSlice(x.tensor, from!, to!, by!), x.channelsLast);
  },
};

const Split: Operator = {
  run(step) {
    const { tf, node } = step;
    const x = step.needed(0);
    const axis = intAttribute(node, 'axis', 0);
    const from = axis < 0 ? axis + x.dims.length : axis;
    const sizes = step.outputs.map((dims) => dims[from]!);
    const at = axisAt(axis, x.dims.length, x.channelsLast);
    return tf.split(x.tensor, sizes, at).map((part) => valueIn(part, x.channelsLast));
  },
};

/** Repeated until it has the dimensions that the shapes of a pass tell. */
const Expand: Operator = {
  run(step) {
    const { tf } = step;
    const x = plain(tf, step.needed(0));
    const out = step.outputs[0]!;
    const dims = [...new Array<number>(out.length - x.rank).fill(1), ...x.shape];
    return plainValue(
      tf.tile(
        tf.reshape(x, dims),
        out.map((d, i) => d / dims[i]!),
      ),
    );
  },
};

const Softmax: Operator = {
  refuses: ({ node, dims }) => {
    const axis = intAttribute(node, 'axis', -1);
    return axis === -1 || axis === (dims(0)?.length ?? 0) - 1 ? undefined : 'it is not over the last axis';
  },
  run: ({ tf, needed }) => plainValue(tf.softmax(plain(tf, needed(0)))),
};

export const AXES = {
  Concat,
  Expand,
  Flatten: reshaped,
  Gather,
  GlobalAveragePool,
  // The length of vectors, as CLIP divides by.
  ReduceL2: reduction((tf, x, axes, keep) => tf.sqrt(tf.sum(tf.square(x), axes, keep))),
  ReduceMax: reduction((tf, x, axes, keep) => tf.max(x, axes, keep)),
  ReduceMean: reduction((tf, x, axes, keep) => tf.mean(x, axes, keep)),
  ReduceSum: reduction((tf, x, axes, keep) => tf.sum(x, axes, keep)),
  Reshape: reshaped,
  Slice,
  Softmax,
  Split,
  Squeeze: reshaped,
  Transpose,
  Unsqueeze: reshaped,
} satisfies Record<string, Operator>;
