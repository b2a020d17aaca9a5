import type { Evaluation } from '../../schemas/report.js';

/** Scores of some images: logits `[n, K]` and the true classes `[n]`. */
export interface Scored {
  logits: Float32Array;
  y: Int32Array;
  classes: number;
}

const CALIBRATION_BINS = 10;

/** −log of the probability of the true class, averaged; logits are divided by `temperature`. */
export function logLoss({ logits, y, classes }: Scored, temperature = 1): number {
  let total = 0;
  y.forEach((truth, row) => {
    const p = probabilities(logits.subarray(row * classes, (row + 1) * classes), temperature);
    total -= Math.log(Math.max(p[truth]!, 1e-12));
  });
  return total / Math.max(1, y.length);
}

/** Share of images whose highest logit is the true class. */
export function accuracy({ logits, y, classes }: Scored): number {
  let hits = 0;
  y.forEach((truth, row) => {
    if (argMax(logits.subarray(row * classes, (row + 1) * classes)) === truth) hits += 1;
  });
  return hits / Math.max(1, y.length);
}

/**
 * The temperature with the least log-loss on images that were not trained on (Guo et al., On Calibration of Modern
 * Neural Networks, 2017), by golden-section search on its logarithm. The target is not 1 but 1 − 1/(n + 2), as if one image
 * more had gone wrong (Platt, Probabilistic Outputs for Support Vector Machines, 1999): where all n were right, plain
 * log-loss would ask for boundless confidence. 1 where there are too few images to tell.
 */
export function fitTemperature(held: Scored): number {
  if (held.y.length < 10) return 1;
  const doubt = 1 / (held.y.length + 2);
  const golden = (Math.sqrt(5) - 1) / 2;
  let [low, high] = [Math.log(0.05), Math.log(20)];
  for (let step = 0; step < 40; step += 1) {
    const [a, b] = [high - golden * (high - low), low + golden * (high - low)];
    if (doubtfulLoss(held, Math.exp(a), doubt) < doubtfulLoss(held, Math.exp(b), doubt)) high = b;
    else low = a;
  }
  return Math.exp((low + high) / 2);
}

/** Log-loss where `doubt` of the target is spread over the other classes. */
function doubtfulLoss({ logits, y, classes }: Scored, temperature: number, doubt: number): number {
  let total = 0;
  y.forEach((truth, row) => {
    const scores = logits.subarray(row * classes, (row + 1) * classes);
    const top = scores.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
    const normaliser = Math.log(scores.reduce((sum, score) => sum + Math.exp((score - top) / temperature), 0));
    scores.forEach((score, k) => {
      const share = k === truth ? 1 - doubt : doubt / (classes - 1);
      total -= share * ((score - top) / temperature - normaliser);
    });
  });
  return total / y.length;
}

/** All figures of a report, from held-out images. */
export function evaluate(
  scored: Scored,
  options: { on: Evaluation['on']; labels: string[]; trainCounts: number[]; temperature: number },
): Evaluation {
  const { logits, y, classes: K } = scored;
  const { labels, trainCounts, temperature } = options;
  const matrix = Array.from({ length: K }, () => new Array<number>(K).fill(0));
  const bins = Array.from({ length: CALIBRATION_BINS }, () => ({ confidence: 0, hits: 0, examples: 0 }));
  let top5 = 0;
  y.forEach((truth, row) => {
    const p = probabilities(logits.subarray(row * K, (row + 1) * K), temperature);
    const guess = argMax(p);
    matrix[truth]![guess]! += 1;
    if (p.reduce((better, value) => better + (value > p[truth]! ? 1 : 0), 0) < 5) top5 += 1;
    const bin = bins[Math.min(CALIBRATION_BINS - 1, Math.floor(p[guess]! * CALIBRATION_BINS))]!;
    bin.confidence += p[guess]!;
    bin.examples += 1;
    if (guess === truth) bin.hits += 1;
  });
  const predicted = labels.map((_, k) => matrix.reduce((sum, row) => sum + row[k]!, 0));
  const classes = labels.map((label, k) => {
    const [hits, support] = [matrix[k]![k]!, matrix[k]!.reduce((a, b) => a + b, 0)];
    const precision = predicted[k] ? hits / predicted[k]! : null;
    const recall = support ? hits / support : null;
    const f1 = support ? (2 * hits) / (support + predicted[k]!) : null;
    return { label, precision, recall, f1, support, train_examples: trainCounts[k]! };
  });
  const mean = (values: (number | null)[]) => {
    const known = values.filter((value) => value !== null);
    return known.reduce((a, b) => a + b, 0) / Math.max(1, known.length);
  };
  return {
    on: options.on,
    examples: y.length,
    accuracy: accuracy(scored),
    top_5_accuracy: top5 / Math.max(1, y.length),
    balanced_accuracy: mean(classes.map(({ recall }) => recall)),
    macro_f1: mean(classes.map(({ f1 }) => f1)),
    log_loss: logLoss(scored, temperature),
    classes,
    confusion: { labels, matrix },
    calibration: {
      temperature,
      expected_error: bins.reduce((sum, { confidence, hits }) => sum + Math.abs(confidence - hits), 0) / y.length,
      bins: bins
        .filter(({ examples }) => examples > 0)
        .map(({ confidence, hits, examples }) => ({
          confidence: confidence / examples,
          accuracy: hits / examples,
          examples,
        })),
    },
  };
}

/** softmax(logits / temperature) */
export function probabilities(logits: Float32Array, temperature: number): Float64Array {
  const values = Float64Array.from(logits, (value) => value / temperature);
  const top = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  let sum = 0;
  for (let k = 0; k < values.length; k += 1) {
    values[k] = Math.exp(values[k]! - top);
    sum += values[k]!;
  }
  return values.map((value) => value / sum);
}

/** Index of the highest value. */
export function argMax(values: Float32Array | Float64Array): number {
  let best = 0;
  for (let k = 1; k < values.length; k += 1) if (values[k]! > values[best]!) best = k;
  return best;
}
