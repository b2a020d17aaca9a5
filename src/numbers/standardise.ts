/**
 * Standardise in place: subtract the mean and divide by the deviation of `known` images, feature by feature. Deviations
 * are kept above a hundredth of their mean, so that a feature that hardly ever moves is not blown up.
 */
export function standardise(
  x: Float32Array,
  D: number,
  known: number[],
): { mean: Float32Array; deviation: Float32Array } {
  const [sum, square] = [new Float64Array(D), new Float64Array(D)];
  for (const row of known) for (let d = 0; d < D; d += 1) sum[d]! += x[row * D + d]!;
  const mean = Float32Array.from(sum, (value) => value / known.length);
  for (const row of known) for (let d = 0; d < D; d += 1) square[d]! += (x[row * D + d]! - mean[d]!) ** 2;
  const raw = Float64Array.from(square, (value) => Math.sqrt(value / known.length));
  const floor = Math.max(1e-6, (0.01 * raw.reduce((a, b) => a + b, 0)) / D);
  const deviation = Float32Array.from(raw, (value) => Math.max(value, floor));
  for (let row = 0; row < x.length / D; row += 1) {
    for (let d = 0; d < D; d += 1) x[row * D + d] = (x[row * D + d]! - mean[d]!) / deviation[d]!;
  }
  return { mean, deviation };
}
