/** Sums over dense vectors, in double precision. */

type Vector = Float32Array | Float64Array;

/** a · b, over the length of `a`. Four sums side by side: one would wait for each addition before the next. */
export function dot(a: Vector, b: Vector): number {
  let [sum0, sum1, sum2, sum3] = [0, 0, 0, 0];
  const whole = a.length - (a.length % 4);
  for (let i = 0; i < whole; i += 4) {
    sum0 += a[i]! * b[i]!;
    sum1 += a[i + 1]! * b[i + 1]!;
    sum2 += a[i + 2]! * b[i + 2]!;
    sum3 += a[i + 3]! * b[i + 3]!;
  }
  for (let i = whole; i < a.length; i += 1) sum0 += a[i]! * b[i]!;
  return sum0 + sum1 + (sum2 + sum3);
}

/** |v|² */
export function squaredLength(v: Vector): number {
  return dot(v, v);
}

/** |v|, never 0, so that one can divide by it: a vector of zeros points nowhere. */
export function lengthOf(v: Vector): number {
  return Math.max(Math.sqrt(squaredLength(v)), 1e-12);
}
