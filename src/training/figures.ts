import { accuracy, argMax, logLoss, probabilities, type Scored, wilsonInterval } from '../numbers/scores.js';
import type { Evaluation } from '../schemas/report.js';

const CALIBRATION_BINS = 10;

/** All figures of a report, from held-out examples. */
export function figuresOf(
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
  const untested = classes.filter(({ support }) => support === 0).map(({ label }) => label);
  // A mean over the other classes would look like one over all.
  const mean = (values: (number | null)[]) =>
    untested.length > 0 ? null : values.reduce<number>((sum, value) => sum + value!, 0) / K;
  const usual = trainCounts.indexOf(Math.max(...trainCounts));
  const hits = classes.reduce((sum, _, k) => sum + matrix[k]![k]!, 0);
  return {
    on: options.on,
    examples: y.length,
    accuracy: accuracy(scored),
    accuracy_interval: wilsonInterval(hits, y.length),
    baseline_accuracy: classes[usual]!.support / Math.max(1, y.length),
    untested,
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
