import { dot } from '../numbers/dense.js';

/** What an optimiser does with points and gradients. Rooms are used again: fresh memory costs more than a sum of numbers. */
export interface Vectors<V> {
  /** Room for a vector; what is in it does not count. */
  take(): V;
  /** A room that is not needed any more. */
  give(room: V): void;
  dot(u: V, v: V): number;
  /** `out = u + factor · v` */
  combine(out: V, u: V, factor: number, v: V): void;
  /** `out = factor · v` */
  scale(out: V, factor: number, v: V): void;
  /** `q += factor · v`. @returns w · q, from the same pass over the memory */
  addThenDot(q: V, factor: number, v: V, w: V): number;
}

/** Vectors that are arrays of so many numbers. */
export function arrays(length: number): Vectors<Float32Array> {
  const free: Float32Array[] = [];
  return {
    take: () => free.pop() ?? new Float32Array(length),
    give: (room) => void free.push(room),
    dot,
    combine: combineArrays,
    scale: scaleArray,
    addThenDot: addThenDotArrays,
  };
}

export function combineArrays(out: Float32Array, u: Float32Array, factor: number, v: Float32Array): void {
  for (let i = 0; i < out.length; i += 1) out[i] = u[i]! + factor * v[i]!;
}

export function scaleArray(out: Float32Array, factor: number, v: Float32Array): void {
  for (let i = 0; i < out.length; i += 1) out[i] = factor * v[i]!;
}

export function addThenDotArrays(q: Float32Array, factor: number, v: Float32Array, w: Float32Array): number {
  let [sum0, sum1, sum2, sum3] = [0, 0, 0, 0];
  const whole = q.length - (q.length % 4);
  for (let i = 0; i < whole; i += 4) {
    q[i]! += factor * v[i]!;
    q[i + 1]! += factor * v[i + 1]!;
    q[i + 2]! += factor * v[i + 2]!;
    q[i + 3]! += factor * v[i + 3]!;
    sum0 += w[i]! * q[i]!;
    sum1 += w[i + 1]! * q[i + 1]!;
    sum2 += w[i + 2]! * q[i + 2]!;
    sum3 += w[i + 3]! * q[i + 3]!;
  }
  for (let i = whole; i < q.length; i += 1) {
    q[i]! += factor * v[i]!;
    sum0 += w[i]! * q[i]!;
  }
  return sum0 + sum1 + (sum2 + sum3);
}
