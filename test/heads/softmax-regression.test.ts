import t from 'tap';
import { type FitOptions, SoftmaxRegression } from '../../src/heads/softmax-regression.js';
import { dense } from '../../src/numbers/features.js';
import { seededRandom } from '../../src/numbers/random.js';

/** Overlapping clouds: N images of D features in K classes. */
function clouds(N: number, D: number, K: number) {
  const random = seededRandom(1, 'clouds');
  const y = Int32Array.from({ length: N }, (_, i) => i % K);
  const x = Float32Array.from({ length: N * D }, (_, i) => {
    const [image, d] = [Math.floor(i / D), i % D];
    return 2 * (random() + random() - 1) + (d % K === y[image] ? 0.7 : 0);
  });
  return { x, y, dimensions: D, classes: K };
}

const DATA = clouds(60, 5, 3);
const EXACT: Pick<FitOptions, 'maxIterations' | 'tolerance' | 'weightDecay'> = {
  maxIterations: 500,
  tolerance: 0,
  weightDecay: 0.05,
};

async function fit(data: typeof DATA, options: Partial<FitOptions> = {}) {
  const regression = new SoftmaxRegression({
    features: dense(data.x, data.dimensions),
    y: data.y,
    classes: data.classes,
  });
  const fitted = await regression.fit({ ...EXACT, rowWeights: new Float32Array(data.y.length).fill(1), ...options });
  const { kernel, bias } = regression.layer(fitted);
  return { ...fitted, kernel, bias };
}

/** Loss and gradient in double precision, written from the definition. */
function reference(
  data: typeof DATA,
  rowWeights: Float32Array,
  weightDecay: number,
  at: { kernel: Float32Array; bias: Float32Array },
) {
  const { x, y, dimensions: D, classes: K } = data;
  const total = rowWeights.reduce((a, b) => a + b, 0);
  const gradient = new Float64Array(K * D + K);
  let loss = 0;
  y.forEach((truth, i) => {
    const logits = Array.from({ length: K }, (_, k) => {
      let sum = at.bias[k]!;
      for (let d = 0; d < D; d += 1) sum += at.kernel[d * K + k]! * x[i * D + d]!;
      return sum;
    });
    const norm = logits.reduce((sum, value) => sum + Math.exp(value), 0);
    const weight = rowWeights[i]! / total;
    loss -= weight * Math.log(Math.exp(logits[truth]!) / norm);
    for (let k = 0; k < K; k += 1) {
      const error = weight * (Math.exp(logits[k]!) / norm - (k === truth ? 1 : 0));
      for (let d = 0; d < D; d += 1) gradient[d * K + k]! += error * x[i * D + d]!;
      gradient[K * D + k]! += error;
    }
  });
  for (let i = 0; i < K * D; i += 1) {
    loss += 0.5 * weightDecay * at.kernel[i]! ** 2;
    gradient[i]! += weightDecay * at.kernel[i]!;
  }
  return { loss, gradient };
}

t.test('at the solution the gradient vanishes, and every point nearby has a greater loss', async (t) => {
  const random = seededRandom(2, 'weights');
  const rowWeights = Float32Array.from(DATA.y, () => 0.2 + random());
  const fitted = await fit(DATA, { rowWeights });
  const { loss, gradient } = reference(DATA, rowWeights, EXACT.weightDecay, fitted);
  const steepest = gradient.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  t.ok(steepest < 1e-4, String(steepest));
  t.ok(Math.abs(loss - fitted.loss) < 1e-5);
  const start = reference(DATA, rowWeights, 0, { kernel: new Float32Array(15), bias: new Float32Array(3) });
  t.ok(Math.abs(start.loss - Math.log(3)) < 1e-6 && loss < start.loss);
  for (let trial = 0; trial < 20; trial += 1) {
    const moved = {
      kernel: fitted.kernel.map((value) => value + 0.1 * (random() - 0.5)),
      bias: fitted.bias.map((value) => value + 0.1 * (random() - 0.5)),
    };
    t.ok(reference(DATA, rowWeights, EXACT.weightDecay, moved).loss > loss);
  }
});

t.test('an image of weight 0 leaves no trace: whatever it holds, the result has the same bits', async (t) => {
  const rowWeights = Float32Array.from(DATA.y, (_, i) => (i % 4 === 0 ? 0 : 1));
  const one = await fit(DATA, { rowWeights });
  const x = DATA.x.map((value, i) => (Math.floor(i / 5) % 4 === 0 ? 50 - value : value));
  const y = DATA.y.map((value, i) => (i % 4 === 0 ? (value + 1) % 3 : value));
  const other = await fit({ ...DATA, x, y }, { rowWeights });
  t.same(other.kernel, one.kernel);
  t.same(other.bias, one.bias);
  const kept = [...DATA.y.keys()].filter((i) => i % 4 !== 0);
  const small = await fit({
    ...DATA,
    x: Float32Array.from(kept.flatMap((i) => [...DATA.x.subarray(i * 5, i * 5 + 5)])),
    y: Int32Array.from(kept, (i) => DATA.y[i]!),
  });
  small.kernel.forEach((value, i) => {
    t.ok(Math.abs(value - one.kernel[i]!) < 1e-3);
  });
});

t.test('the same input gives the same bits; a start elsewhere the same solution', async (t) => {
  const first = await fit(DATA);
  t.same((await fit(DATA)).kernel, first.kernel);
  const start = { point: Float32Array.from([...Array(15).fill(1), 1, -1, 0]) };
  const other = await fit(DATA, { start });
  other.kernel.forEach((value, i) => {
    t.ok(Math.abs(value - first.kernel[i]!) < 2e-3);
  });
});

t.test('more rows than are passed at once give what fewer of the same give', async (t) => {
  const copies = 300; // 18,000 rows; of a thousand classes, 8,388 are passed at once
  const small = { ...DATA, classes: 1000 };
  const large = {
    ...small,
    x: Float32Array.from({ length: copies * DATA.x.length }, (_, i) => DATA.x[i % DATA.x.length]!),
    y: Int32Array.from({ length: copies * 60 }, (_, i) => DATA.y[i % 60]!),
  };
  const one = await fit(small, { maxIterations: 4 });
  const many = await fit(large, { maxIterations: 4 });
  t.ok(furthest(many.kernel, one.kernel) < 2e-3);
  t.equal(many.logits.length, 18_000 * 1000);
  const [first, last] = [many.logits.slice(0, 60_000), many.logits.slice(17_940 * 1000)];
  t.ok(furthest(last, first) < 1e-4, 'rows beyond the first pass are scored, in order');
});

t.test('a greater penalty gives smaller weights; the bias is free', async (t) => {
  const sizes: number[] = [];
  for (const weightDecay of [0.001, 0.1, 10]) sizes.push(Math.hypot(...(await fit(DATA, { weightDecay })).kernel));
  t.same(
    sizes,
    [...sizes].sort((a, b) => b - a),
  );
  const unbalanced = { ...DATA, y: DATA.y.map((value, i) => (i < 40 ? 0 : value)) };
  const { bias } = await fit(unbalanced, { weightDecay: 1000 });
  t.ok(bias[0]! > bias[1]! + 1, 'with weights of nothing, it says how frequent a class is');
});

t.test('an observer sees the loss fall at every iteration, its logits, and may stop', async (t) => {
  const losses: number[] = [];
  let seen: Float32Array | undefined;
  const fitted = await fit(DATA, {
    onIteration: ({ iteration, loss, logits }) => {
      losses.push(loss);
      seen = logits;
      return iteration < 4;
    },
  });
  t.equal(fitted.iterations, 4);
  t.same(
    losses,
    [...losses].sort((a, b) => b - a),
  );
  t.same(seen, fitted.logits);
  const logit = (i: number, k: number) =>
    DATA.x
      .subarray(i * 5, i * 5 + 5)
      .reduce((sum, value, d) => sum + value * fitted.kernel[d * 3 + k]!, fitted.bias[k]!);
  const expected = Float32Array.from({ length: 180 }, (_, j) => logit(Math.floor(j / 3), j % 3));
  t.ok(furthest(fitted.logits, expected) < 1e-5);
});

function furthest(a: Float32Array, b: Float32Array): number {
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
}
