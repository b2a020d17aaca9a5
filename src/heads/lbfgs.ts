/**
 * The least value of a smooth function by L-BFGS (Nocedal & Wright, Numerical Optimization, algorithm 7.5; backtracking
 * line search). It knows a point, a value and a gradient; what they mean is the function's business.
 */
import { dot } from '../numbers/dense.js';

/** A function at a point. */
export interface Evaluated {
  loss: number;
  /** As long as the point. */
  gradient: Float32Array;
}

export interface MinimiseOptions<E extends Evaluated> {
  /** @param room where the gradient may be written, as long as the point; what is in it does not count */
  evaluate: (point: Float32Array, room: Float32Array) => Promise<E>;
  /** Taken over; not to be used afterwards. */
  start: Float32Array;
  maxIterations: number;
  /** Stop when the loss falls by less than this share in one iteration. */
  tolerance: number;
  /** Called after each iteration, with the function where it ended. Return false to stop. */
  onIteration?: (iteration: number, at: E) => boolean | undefined;
}

interface Step {
  s: Float32Array;
  y: Float32Array;
  rho: number;
}

const HISTORY = 10;
const MAX_TRIES = 20;

/** @returns the point with the least value found, and the function there */
export async function minimise<E extends Evaluated>(
  options: MinimiseOptions<E>,
): Promise<{ point: Float32Array; at: E; iterations: number }> {
  const { maxIterations, tolerance, onIteration } = options;
  let point = options.start;
  const rooms = new Rooms(point.length);
  const evaluate = (candidate: Float32Array) => options.evaluate(candidate, rooms.take());
  let at = await evaluate(point);
  const steps: Step[] = [];
  let iterations = 0;
  while (iterations < maxIterations) {
    const found = await search({ evaluate, rooms, steps }, point, at);
    if (found === undefined) break;
    remember({ rooms, steps }, point, at, found);
    const fall = (at.loss - found.at.loss) / Math.max(Math.abs(at.loss), 1e-8);
    rooms.give(at.gradient);
    if (point !== options.start) rooms.give(point);
    ({ point, at } = found);
    iterations += 1;
    if (onIteration?.(iterations, at) === false || fall < tolerance) break;
  }
  return { point, at, iterations };
}

/** A better point along the line of descent; undefined where there is none. */
async function search<E extends Evaluated>(
  { evaluate, rooms, steps }: { evaluate: (point: Float32Array) => Promise<E>; rooms: Rooms; steps: Step[] },
  point: Float32Array,
  at: E,
): Promise<{ point: Float32Array; at: E } | undefined> {
  const direction = descent(at.gradient, steps, rooms.take());
  let slope = dot(direction, at.gradient);
  if (!(slope < 0)) {
    forget(steps, rooms);
    for (let i = 0; i < direction.length; i += 1) direction[i] = -at.gradient[i]!;
    slope = dot(direction, at.gradient);
    if (!(slope < 0)) return undefined;
  }
  // The first step has no curvature to go by: make it one unit long.
  let length = steps.length === 0 ? Math.min(1, 1 / Math.sqrt(-slope)) : 1;
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    const candidate = rooms.take();
    for (let i = 0; i < point.length; i += 1) candidate[i] = point[i]! + length * direction[i]!;
    const tried = await evaluate(candidate);
    if (tried.loss <= at.loss + 1e-4 * length * slope) {
      rooms.give(direction);
      return { point: candidate, at: tried };
    }
    rooms.give(candidate);
    rooms.give(tried.gradient);
    const quadratic = (-slope * length * length) / (2 * (tried.loss - at.loss - slope * length));
    length = Number.isFinite(quadratic) ? Math.min(0.5 * length, Math.max(0.1 * length, quadratic)) : 0.1 * length;
  }
  return undefined;
}

/** Remember the step to `next`, unless the function does not curve upwards along it. */
function remember(
  { rooms, steps }: { rooms: Rooms; steps: Step[] },
  point: Float32Array,
  at: Evaluated,
  next: { point: Float32Array; at: Evaluated },
) {
  const [s, y] = [rooms.take(), rooms.take()];
  for (let i = 0; i < point.length; i += 1) {
    s[i] = next.point[i]! - point[i]!;
    y[i] = next.at.gradient[i]! - at.gradient[i]!;
  }
  const curvature = dot(s, y);
  if (!(curvature > 1e-10 * dot(y, y))) {
    rooms.give(s);
    rooms.give(y);
    return;
  }
  if (steps.length === HISTORY) forget(steps, rooms, 1);
  steps.push({ s, y, rho: 1 / curvature });
}

/** Forget the oldest steps, all where no number is given. */
function forget(steps: Step[], rooms: Rooms, count = steps.length): void {
  for (const { s, y } of steps.splice(0, count)) {
    rooms.give(s);
    rooms.give(y);
  }
}

/** Arrays as long as a point, used again: of millions of numbers, fresh memory costs more than what is computed in it. */
class Rooms {
  readonly #free: Float32Array[] = [];
  readonly #length: number;

  constructor(length: number) {
    this.#length = length;
  }

  take(): Float32Array {
    return this.#free.pop() ?? new Float32Array(this.#length);
  }

  give(room: Float32Array): void {
    this.#free.push(room);
  }
}

/** −H·gradient by the two-loop recursion over the last steps, in `q`. */
function descent(gradient: Float32Array, steps: Step[], q: Float32Array): Float32Array {
  for (let i = 0; i < q.length; i += 1) q[i] = -gradient[i]!;
  const last = steps.at(-1);
  if (!last) return q;
  const alphas = new Float64Array(steps.length);
  let product = dot(last.s, q);
  for (let n = steps.length - 1; n >= 0; n -= 1) {
    const { y, rho } = steps[n]!;
    alphas[n] = rho * product;
    product = addThenDot(q, -alphas[n]!, y, n > 0 ? steps[n - 1]!.s : q);
  }
  const scale = 1 / (last.rho * dot(last.y, last.y));
  for (let i = 0; i < q.length; i += 1) q[i]! *= scale;
  product = dot(steps[0]!.y, q);
  for (let n = 0; n < steps.length; n += 1) {
    const { s, rho } = steps[n]!;
    product = addThenDot(q, alphas[n]! - rho * product, s, n + 1 < steps.length ? steps[n + 1]!.y : q);
  }
  return q;
}

/** q += factor · v, in place. @returns w · q, from the same pass over the memory */
function addThenDot(q: Float32Array, factor: number, v: Float32Array, w: Float32Array): number {
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
