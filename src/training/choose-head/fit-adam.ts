import { curveRow } from '../../numbers/curve-row.js';
import { headLogits } from '../../heads/head-logits.js';
import { fitPerceptron } from '../../heads/perceptron.js';
import { seededRandom } from '../../numbers/random.js';
import type { HeadKind } from '../../schemas/common.js';
import type { Curve } from '../../schemas/report.js';
import { accuracy, fitTemperature, logLoss } from '../../numbers/scores.js';
import type { FittedHead, HeadOptions } from './contract.js';
import { heldOutExamples } from './held-out-rounds.js';
import { isSet } from './is-set.js';
import { foldWeights, rowWeights } from './row-weights.js';

/** A linear head or one with a hidden layer, in mini-batches; watched on held-out examples, then fitted on all. */
export async function fitByAdam(options: HeadOptions, kind: HeadKind): Promise<FittedHead> {
  const { engine, samples, train, hyperparameters: wanted, seed, onEpoch } = options;
  const { features, y, origin } = samples;
  const K = samples.labels.length;
  const held = heldOutExamples(options);
  const out = new Set(held);
  const fit = held.length > 0 ? train.filter((example) => !out.has(example)) : train;
  const rowsOf = (examples: number[]) => {
    const inside = new Set(examples);
    return Int32Array.from(origin.keys()).filter((row) => inside.has(origin[row]!));
  };
  const settings = {
    epochs: isSet(wanted.epochs) ? wanted.epochs : 60,
    batch_size: isSet(wanted.batch_size) ? wanted.batch_size : Math.min(256, Math.max(16, Math.ceil(fit.length / 20))),
    learning_rate: isSet(wanted.learning_rate) ? wanted.learning_rate : 1e-3,
    weight_decay: isSet(wanted.weight_decay) ? wanted.weight_decay : 1e-3,
    early_stopping: isSet(wanted.early_stopping) ? wanted.early_stopping : 8,
    dropout: kind === 'mlp' ? (isSet(wanted.dropout) ? wanted.dropout : 0.5) : 0,
    hidden_units: kind === 'mlp' ? (isSet(wanted.hidden_units) ? wanted.hidden_units : 256) : 0,
    learning_rate_schedule: isSet(wanted.learning_rate_schedule) ? wanted.learning_rate_schedule : 'constant',
  };
  const shared = {
    engine,
    features,
    y,
    classes: K,
    hiddenUnits: [settings.hidden_units].flat().filter((units) => units > 0),
    dropout: settings.dropout,
    learningRate: settings.learning_rate,
    weightDecay: settings.weight_decay,
    batchSize: settings.batch_size,
    schedule: settings.learning_rate_schedule,
  } as const;
  const heldRows = Int32Array.from(held);
  const truth = heldRows.map((row) => y[row]!);
  const curves: Curve[] = [];
  const watched = await fitPerceptron({
    ...shared,
    train: rowsOf(fit),
    validation: heldRows,
    rowWeights: foldWeights(options, fit),
    epochs: settings.epochs,
    patience: settings.early_stopping,
    random: seededRandom(seed, `${kind} watched`),
    onEpoch: ({ epoch, trainLoss, trainAccuracy, validationLogits }) => {
      const scored = { logits: validationLogits, y: truth, classes: K };
      const curve = curveRow(epoch, { loss: trainLoss, accuracy: trainAccuracy }, scored);
      curves.push(curve);
      onEpoch(kind, curve);
      options.onProgress((0.5 * epoch) / settings.epochs);
    },
  });
  const heldOut =
    held.length > 0
      ? {
          logits: headLogits({ engine, layers: watched.layers, features, rows: heldRows }),
          y: truth,
          classes: K,
          examples: held,
        }
      : undefined;
  const same = options.finalFit.length === fit.length && held.length === 0;
  const final = same
    ? watched
    : await fitPerceptron({
        ...shared,
        train: rowsOf(options.finalFit),
        validation: new Int32Array(0),
        rowWeights: rowWeights(options, options.finalFit),
        epochs: watched.bestEpoch,
        patience: 0,
        rates: watched.rates,
        random: seededRandom(seed, `${kind} final`),
        onEpoch: ({ epoch }) => options.onProgress(0.5 + (0.5 * epoch) / watched.bestEpoch),
      });
  const { weight_decay: weightDecay } = settings;
  return {
    kind,
    layers: final.layers,
    temperature: heldOut ? fitTemperature(heldOut) : 1,
    heldOut,
    settings: { head: kind, optimizer: 'adam', ...settings, epochs: same ? settings.epochs : watched.bestEpoch },
    candidates: heldOut
      ? [{ head: kind, weight_decay: weightDecay, accuracy: accuracy(heldOut), log_loss: logLoss(heldOut) }]
      : [],
    curves,
  };
}
