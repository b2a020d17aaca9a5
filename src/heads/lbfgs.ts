/**
 * The least value of a smooth function by L-BFGS (Nocedal & Wright, Numerical Optimization, algorithm 7.5; backtracking
 * line search). It knows points, values and gradients; what they mean, and how a vector is kept, is the function's business.
 */
import type { Vectors } from './vectors.js';

export interface MinimiseOptions<V, E extends { loss: number }> {
  vectors: Vectors<V>;
  /** The function at a point. */
  evaluate: (point: V) => Promise<E>;
  /** Its gradient there; asked for where a step ends. */
  gradient: (point: V, at: E) => V;
  /** Taken over; not to be used afterwards. */
  start: V;
  maxIterations: number;
  /** Stop when the loss falls by less than this share in one iteration. */
  tolerance: number;
  /** Steps that are remembered; default: 10. */
  history?: number;
  /** Called after each iteration, with where it ended. Return false to stop. */
  onIteration?: ((iteration: number, at: E, point: V) => boolean | undefined) | undefined;
}

/** A point, the function and its gradient there. */
interface Place<V, E> {
  point: V;
  at: E;
  gradient: V;
}

interface Step<V> {
  s: V;
  y: V;
  rho: number;
}

const HISTORY = 10;
const MAX_TRIES = 20;

/** @returns the point with the least value found, and the function there */
export async function minimise<V, E extends { loss: number }>(
  options: MinimiseOptions<V, E>,
): Promise<{ point: V; at: E; iterations: number }> {
  const { vectors, evaluate, maxIterations, tolerance, onIteration } = options;
  const first = await evaluate(options.start);
  let place: Place<V, E> = { point: options.start, at: first, gradient: options.gradient(options.start, first) };
  const steps: Step<V>[] = [];
  let iterations = 0;
  while (iterations < maxIterations) {
    const found = await search(options, place, steps);
    if (found === undefined) break;
    const next = { ...found, gradient: options.gradient(found.point, found.at) };
    remember(vectors, steps, place, next);
    if (steps.length > (options.history ?? HISTORY)) forget(vectors, steps, 1);
    const fall = (place.at.loss - next.at.loss) / Math.max(Math.abs(place.at.loss), 1e-8);
    vectors.give(place.point);
    vectors.give(place.gradient);
    place = next;
    iterations += 1;
    if (onIteration?.(iterations, place.at, place.point) === false || fall < tolerance) break;
  }
  return { point: place.point, at: place.at, iterations };
}

/** A better point along the line of descent; undefined where there is none. */
async function search<V, E extends { loss: number }>(
  { vectors, evaluate }: Pick<MinimiseOptions<V, E>, 'vectors' | 'evaluate'>,
  { point, at, gradient }: Place<V, E>,
  steps: Step<V>[],
): Promise<{ point: V; at: E } | undefined> {
  const direction = vectors.take();
  descent(vectors, gradient, steps, direction);
  let slope = vectors.dot(direction, gradient);
  if (!(slope < 0)) {
    forget(vectors, steps);
    vectors.scale(direction, -1, gradient);
    slope = vectors.dot(direction, gradient);
  }
  // The first step has no curvature to go by: make it one unit long.
  let length = steps.length === 0 ? Math.min(1, 1 / Math.sqrt(-slope)) : 1;
  for (let tries = 0; tries < MAX_TRIES && slope < 0; tries += 1) {
    const candidate = vectors.take();
    vectors.combine(candidate, point, length, direction);
    const tried = await evaluate(candidate);
    if (tried.loss <= at.loss + 1e-4 * length * slope) {
      vectors.give(direction);
      return { point: candidate, at: tried };
    }
    vectors.give(candidate);
    const quadratic = (-slope * length * length) / (2 * (tried.loss - at.loss - slope * length));
    length = Number.isFinite(quadratic) ? Math.min(0.5 * length, Math.max(0.1 * length, quadratic)) : 0.1 * length;
  }
  vectors.give(direction);
  return undefined;
}

/** Remember the step to `next`, unless the function does not curve upwards along it. */
function remember<V, E>(vectors: Vectors<V>, steps: Step<V>[], from: Place<V, E>, next: Place<V, E>): void {
  const [s, y] = [vectors.take(), vectors.take()];
  vectors.combine(s, next.point, -1, from.point);
  vectors.combine(y, next.gradient, -1, from.gradient);
  const curvature = vectors.dot(s, y);
  if (!(curvature > 1e-10 * vectors.dot(y, y))) {
    vectors.give(s);
    vectors.give(y);
    return;
  }
  steps.push({ s, y, rho: 1 / curvature });
}

/** Forget the oldest steps, all where no number is given. */
function forget<V>(vectors: Vectors<V>, steps: Step<V>[], count = steps.length): void {
  for (const { s, y } of steps.splice(0, count)) {
    vectors.give(s);
    vectors.give(y);
  }
}

/** −H·gradient by the two-loop recursion over the last steps, into `q`. */
function descent<V>(vectors: Vectors<V>, gradient: V, steps: Step<V>[], q: V): void {
  vectors.scale(q, -1, gradient);
  const last = steps.at(-1);
  if (!last) return;
  const alphas = new Float64Array(steps.length);
  let product = vectors.dot(last.s, q);
  for (let n = steps.length - 1; n >= 0; n -= 1) {
    const { y, rho } = steps[n]!;
    alphas[n] = rho * product;
    product = vectors.addThenDot(q, -alphas[n]!, y, n > 0 ? steps[n - 1]!.s : q);
  }
  vectors.scale(q, 1 / (last.rho * vectors.dot(last.y, last.y)), q);
  product = vectors.dot(steps[0]!.y, q);
  for (let n = 0; n < steps.length; n += 1) {
    const { s, rho } = steps[n]!;
    product = vectors.addThenDot(q, alphas[n]! - rho * product, s, n + 1 < steps.length ? steps[n + 1]!.y : q);
  }
}
