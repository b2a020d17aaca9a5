import { gaussianFrom } from '../numbers/random.js';
import type { FloatConstant } from '../onnx/float-constant.js';
import type { GraphNode } from '../onnx/model-proto.js';
import { intAttribute } from '../onnx/read-node.js';
import type { TopProgram } from './program.js';

/**
 * Random weights for a top, of the shapes that the backbone has: kernels normal with variance 2 / fan-in (He et al.,
 * Delving Deep into Rectifiers, 2015), biases 0, normalisations that change nothing.
 * @param random uniform numbers in [0, 1)
 */
export function randomTopWeights({ steps, weights }: TopProgram, random: () => number): Map<string, FloatConstant> {
  const gaussian = gaussianFrom(random);
  const ones = new Set(steps.flatMap(({ node }) => factorsOf(node)));
  const fanIns = new Map(steps.flatMap(({ node }) => (node.input ?? []).map((name) => [name, node] as const)));
  return new Map(
    [...weights].map(([name, { dims, values }]) => {
      if (dims.filter((d) => d !== 1).length < 2) {
        return [name, { dims, values: new Float32Array(values.length).fill(ones.has(name) ? 1 : 0) }];
      }
      const node = fanIns.get(name)!;
      const outputsLast = node.opType === 'MatMul' || (node.opType === 'Gemm' && !intAttribute(node, 'transB', 0));
      const deviation = Math.sqrt(2 / (values.length / (outputsLast ? dims.at(-1)! : dims[0]!)));
      return [name, { dims, values: values.map(() => deviation * gaussian()) }];
    }),
  );
}

/** Names of the weights of a node that numbers are multiplied with, channel by channel. */
function factorsOf({ opType, input = [] }: GraphNode): string[] {
  const names = input ?? [];
  if (opType === 'BatchNormalization') return [names[1]!, names[4]!];
  if (opType === 'LayerNormalization') return [names[1]!];
  return opType === 'Mul' || opType === 'Div' ? names : [];
}
