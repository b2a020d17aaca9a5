import { curveRow } from '../../numbers/curve-row.js';
import { type SoftmaxFit, SoftmaxRegression } from '../../heads/softmax-regression.js';
import type { Curve } from '../../schemas/report.js';
import { accuracy, fitTemperature, logLoss, type Scored } from '../../numbers/scores.js';
import type { FittedHead, HeadOptions } from './contract.js';
import { heldOutExamples, heldOutRounds } from './held-out-rounds.js';
import { isSet } from './is-set.js';
import { foldWeights, rowWeights } from './row-weights.js';

/** λ, from much to little. On standardised features the best of real data sets lies between 1 and 0.01. */
const PENALTIES = [3, 1, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0003];
/** On sparse features, whose rows all have one length, firm ones were never among the best. */
const SPARSE_PENALTIES = PENALTIES.slice(2);
/** Where nothing can be held out: firm, since the classes then have one or two examples. */
const BLIND_PENALTY = 1;

/** Softmax regression; its penalty is chosen over a path on examples that the fits have not seen. */
export async function fitByLbfgs(options: HeadOptions): Promise<FittedHead> {
  const { samples, hyperparameters: wanted } = options;
  const { features, y } = samples;
  const K = samples.labels.length;
  const regression = new SoftmaxRegression({ features, y, classes: K });
  const { held, rounds } = heldOutRounds(options);
  const weights = rounds.map(({ fit }) => foldWeights(options, fit));
  const truth = Int32Array.from(held, (example) => y[example]!);
  const place = new Map(held.map((example, index) => [example, index]));
  const starts: (SoftmaxFit | undefined)[] = rounds.map(() => undefined);
  const maxIterations = isSet(wanted.epochs) ? wanted.epochs : 1000;

  const path = features.kind === 'sparse' ? SPARSE_PENALTIES : PENALTIES;
  const penalties = isSet(wanted.weight_decay) ? [wanted.weight_decay] : rounds.length ? path : [BLIND_PENALTY];
  const tried: { weightDecay: number; scored: Scored; accuracy: number; loss: number }[] = [];
  for (const weightDecay of rounds.length > 0 ? penalties : []) {
    const logits = new Float32Array(held.length * K);
    const fits = rounds.map(async ({ held: unseen }, round) => {
      const start = starts[round];
      const fitted = await regression.fit({
        rowWeights: weights[round]!,
        weightDecay,
        maxIterations,
        tolerance: 1e-4,
        ...(start && { start }),
      });
      starts[round] = fitted;
      for (const example of unseen)
        logits.set(fitted.logits.subarray(example * K, (example + 1) * K), place.get(example)! * K);
    });
    await Promise.all(fits);
    const scored = { logits, y: truth, classes: K };
    tried.push({ weightDecay, scored, accuracy: accuracy(scored), loss: logLoss(scored) });
    options.onProgress((0.8 * tried.length) / penalties.length);
    if (isPastBest(tried)) break;
  }
  const chosen = tried.length > 0 ? choose(tried) : undefined;
  const weightDecay = chosen?.weightDecay ?? penalties[0]!;
  const judged = chosen && judgedScores(tried, rounds, place);

  const curve = await lbfgsCurve(options, regression, weightDecay, maxIterations);
  const final = await regression.fit({
    rowWeights: rowWeights(options, options.finalFit),
    weightDecay,
    maxIterations: curve.bestIteration ?? maxIterations,
    tolerance: 1e-5,
    // A number of iterations that was asked for counts from zero.
    ...(!isSet(wanted.epochs) && curve.bestIteration === undefined && { start: curve.fitted }),
  });
  options.onProgress(1);
  return {
    kind: 'linear',
    layers: [regression.layer(final)],
    temperature: chosen ? fitTemperature(chosen.scored) : 1,
    heldOut: judged && { ...judged, examples: held },
    settings: { head: 'linear', optimizer: 'lbfgs', weight_decay: weightDecay, epochs: final.iterations },
    candidates: tried.map((row) => ({
      head: 'linear',
      weight_decay: row.weightDecay,
      accuracy: row.accuracy,
      log_loss: row.loss,
    })),
    curves: curve.curves,
  };
}

/**
 * Scores for the figures: each fold by the penalty that the other folds would have chosen. Judged by the one that did best on
 * the same examples, figures would be too good. With one round alone there are no others.
 */
function judgedScores(
  tried: { scored: Scored }[],
  rounds: { held: number[] }[],
  place: ReadonlyMap<number, number>,
): Scored {
  const { y, classes: K } = tried[0]!.scored;
  if (rounds.length < 2) return choose(tried.map((row) => withFigures(row.scored))).scored;
  const logits = new Float32Array(y.length * K);
  for (const { held } of rounds) {
    const own = new Set(held.map((example) => place.get(example)!));
    const others = [...y.keys()].filter((row) => !own.has(row));
    const scores = tried.map(({ scored }) => ({ ...withFigures(rowsOf(scored, others)), whole: scored }));
    const { whole } = choose(scores);
    for (const row of own) logits.set(whole.logits.subarray(row * K, (row + 1) * K), row * K);
  }
  return { logits, y, classes: K };
}

function withFigures(scored: Scored): { scored: Scored; accuracy: number; loss: number } {
  return { scored, accuracy: accuracy(scored), loss: logLoss(scored) };
}

function rowsOf({ logits, y, classes: K }: Scored, rows: number[]): Scored {
  const part = new Float32Array(rows.length * K);
  rows.forEach((row, i) => {
    part.set(logits.subarray(row * K, (row + 1) * K), i * K);
  });
  return { logits: part, y: Int32Array.from(rows, (row) => y[row]!), classes: K };
}

/**
 * Of all within one standard error of the best accuracy, the one with the least loss: accuracy alone is noisy (it chose
 * up to 3 points worse on unseen examples of small data sets).
 */
function choose<T extends { accuracy: number; loss: number; scored: Scored }>(tried: T[]): T {
  const best = Math.max(...tried.map((row) => row.accuracy));
  const error = Math.sqrt((best * (1 - best)) / tried[0]!.scored.y.length);
  return tried
    .filter((row) => row.accuracy >= best - error)
    .reduce((least, row) => (row.loss < least.loss ? row : least));
}

/** Two penalties in a row that were worse in both accuracy and loss: smaller ones will be, too. */
function isPastBest(tried: { accuracy: number; loss: number }[]): boolean {
  if (tried.length < 3) return false;
  const earlier = tried.slice(0, -2);
  const bestAccuracy = Math.max(...earlier.map((row) => row.accuracy));
  const leastLoss = Math.min(...earlier.map((row) => row.loss));
  return tried.slice(-2).every((row) => row.accuracy < bestAccuracy && row.loss > leastLoss);
}

/** One more fit with the chosen penalty, watched: the curves of the report, and the iteration to stop at if asked. */
async function lbfgsCurve(
  options: HeadOptions,
  regression: SoftmaxRegression,
  weightDecay: number,
  maxIterations: number,
): Promise<{ curves: Curve[]; fitted: SoftmaxFit; bestIteration: number | undefined }> {
  const { samples, train, hyperparameters: wanted, onEpoch } = options;
  const K = samples.labels.length;
  const held = heldOutExamples(options);
  const out = new Set(held);
  const fit = held.length > 0 ? train.filter((example) => !out.has(example)) : train;
  const scoresOf = (logits: Float32Array, examples: number[]) => rowsOf({ logits, y: samples.y, classes: K }, examples);
  const patience = isSet(wanted.early_stopping) ? wanted.early_stopping : 0;
  const curves: Curve[] = [];
  let best = { iteration: 0, loss: Number.POSITIVE_INFINITY };
  const fitted = await regression.fit({
    rowWeights: foldWeights(options, fit),
    weightDecay,
    maxIterations,
    tolerance: 1e-4,
    onIteration: ({ iteration, logits }) => {
      const [trained, checked] = [scoresOf(logits, fit), scoresOf(logits, held)];
      const curve = curveRow(iteration, { loss: logLoss(trained), accuracy: accuracy(trained) }, checked);
      curves.push(curve);
      onEpoch('linear', curve);
      if (curve.validation_loss !== null && curve.validation_loss < best.loss) {
        best = { iteration, loss: curve.validation_loss };
      }
      return !(patience > 0 && held.length > 0 && iteration - best.iteration >= patience);
    },
  });
  return { curves, fitted, bestIteration: patience > 0 && best.iteration > 0 ? best.iteration : undefined };
}
