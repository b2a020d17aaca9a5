import { gaussianFrom } from '../numbers/random.js';
import type { FloatConstant } from '../onnx/float-constant.js';
import type { TopProgram } from './program.js';

/**
 * Random weights for a top, of the shapes that the backbone has: kernels normal with variance 2 / fan-in (He et al.,
 * Delving Deep into Rectifiers, 2015), biases 0, normalisations that change nothing.
 * @param random uniform numbers in [0, 1)
 */
export function randomTopWeights({ steps, weights }: TopProgram, random: () => number): Map<string, FloatConstant> {
  const gaussian = gaussianFrom(random);
  const ones = new Set(steps.flatMap((step) => (step.kind === 'normalization' ? [step.scale, step.variance] : [])));
  return new Map(
    [...weights].map(([name, { dims, values }]) => {
      if (dims.length !== 4)
        return [name, { dims, values: new Float32Array(values.length).fill(ones.has(name) ? 1 : 0) }];
      const deviation = Math.sqrt(2 / (values.length / dims[0]!));
      return [name, { dims, values: values.map(() => deviation * gaussian()) }];
    }),
  );
}
