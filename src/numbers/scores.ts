/** What scores say: probabilities, the likeliest class, log-loss, accuracy, temperature; how they are rounded for people. */

/** Scores of some examples: logits `[n, K]` and the true classes `[n]`. */
export interface Scored {
  logits: Float32Array;
  y: Int32Array;
  classes: number;
}

/** −log of the probability of the true class, averaged; logits are divided by `temperature`. */
export function logLoss({ logits, y, classes }: Scored, temperature = 1): number {
  let total = 0;
  for (let row = 0; row < y.length; row += 1) {
    const start = row * classes;
    let top = Number.NEGATIVE_INFINITY;
    for (let at = start; at < start + classes; at += 1) top = Math.max(top, logits[at]!);
    let sum = 0;
    for (let at = start; at < start + classes; at += 1) sum += Math.exp((logits[at]! - top) / temperature);
    total += Math.min(MOST_SURPRISED, Math.log(sum) - (logits[start + y[row]!]! - top) / temperature);
  }
  return total / Math.max(1, y.length);
}

/** −log of the least probability that counts. */
const MOST_SURPRISED = -Math.log(1e-12);

/** Share of examples whose highest logit is the true class. */
export function accuracy({ logits, y, classes }: Scored): number {
  let hits = 0;
  y.forEach((truth, row) => {
    if (argMax(logits.subarray(row * classes, (row + 1) * classes)) === truth) hits += 1;
  });
  return hits / Math.max(1, y.length);
}

/**
 * 95 % interval of a share, `hits` of `total` (Wilson, Probable Inference, 1927): it stays between 0 and 1, and is honest for
 * few examples and for all or none.
 */
export function wilsonInterval(hits: number, total: number): [low: number, high: number] {
  if (total === 0) return [0, 1];
  const z = 1.959964;
  const share = hits / total;
  const centre = share + (z * z) / (2 * total);
  const spread = z * Math.sqrt((share * (1 - share)) / total + (z * z) / (4 * total * total));
  const scale = 1 + (z * z) / total;
  return [Math.max(0, (centre - spread) / scale), Math.min(1, (centre + spread) / scale)];
}

/**
 * The temperature with the least log-loss on examples that were not trained on (Guo et al., On Calibration of Modern
 * Neural Networks, 2017), by golden-section search on its logarithm. The target is not 1 but 1 − 1/(n + 2), as if one example
 * more had gone wrong (Platt, Probabilistic Outputs for Support Vector Machines, 1999): where all n were right, plain
 * log-loss would ask for boundless confidence. 1 where there are too few examples to tell.
 */
export function fitTemperature(held: Scored): number {
  if (held.y.length < 10) return 1;
  const lossAt = doubtfulLoss(held, 1 / (held.y.length + 2));
  const golden = (Math.sqrt(5) - 1) / 2;
  let [low, high] = [Math.log(0.05), Math.log(20)];
  let [a, b] = [high - golden * (high - low), low + golden * (high - low)];
  let [lossA, lossB] = [lossAt(Math.exp(a)), lossAt(Math.exp(b))];
  for (let step = 0; step < 36; step += 1) {
    if (lossA < lossB) {
      [high, b, lossB] = [b, a, lossA];
      a = high - golden * (high - low);
      lossA = lossAt(Math.exp(a));
    } else {
      [low, a, lossA] = [a, b, lossB];
      b = low + golden * (high - low);
      lossB = lossAt(Math.exp(b));
    }
  }
  return Math.exp((low + high) / 2);
}

/** Log-loss where `doubt` of the target is spread over the other classes, at a temperature. */
function doubtfulLoss({ logits, y, classes: K }: Scored, doubt: number): (temperature: number) => number {
  // Scores below the row's highest, and what the target asks of them: neither changes with the temperature.
  const below = new Float64Array(logits.length);
  let asked = 0;
  for (let row = 0; row < y.length; row += 1) {
    const start = row * K;
    let top = Number.NEGATIVE_INFINITY;
    for (let at = start; at < start + K; at += 1) top = Math.max(top, logits[at]!);
    let sum = 0;
    for (let at = start; at < start + K; at += 1) {
      below[at] = logits[at]! - top;
      sum += below[at]!;
    }
    const own = below[start + y[row]!]!;
    asked += (1 - doubt) * own + (doubt * (sum - own)) / (K - 1);
  }
  return (temperature) => {
    let total = -asked / temperature;
    for (let start = 0; start < below.length; start += K) {
      let sum = 0;
      for (let at = start; at < start + K; at += 1) sum += Math.exp(below[at]! / temperature);
      total += Math.log(sum);
    }
    return total / y.length;
  };
}

/** softmax(logits / temperature) */
export function probabilities(logits: Float32Array, temperature: number): Float64Array {
  const values = Float64Array.from(logits, (value) => value / temperature);
  softmax(values);
  return values;
}

/** In place. */
export function softmax(values: Float32Array | Float64Array): void {
  let top = Number.NEGATIVE_INFINITY;
  for (let k = 0; k < values.length; k += 1) top = Math.max(top, values[k]!);
  let sum = 0;
  for (let k = 0; k < values.length; k += 1) {
    values[k] = Math.exp(values[k]! - top);
    sum += values[k]!;
  }
  for (let k = 0; k < values.length; k += 1) values[k]! /= sum;
}

/** Index of the highest value. */
export function argMax(values: Float32Array | Float64Array): number {
  let best = 0;
  for (let k = 1; k < values.length; k += 1) if (values[k]! > values[best]!) best = k;
  return best;
}

/** To so many decimals. */
export function rounded(value: number, decimals: number): number {
  const scale = 10 ** decimals;
  return Math.round(value * scale) / scale;
}
