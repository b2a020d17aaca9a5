import { dense } from '../../numbers/features.js';
import { accuracy, fitTemperature, logLoss, type Scored } from '../../numbers/scores.js';
import { gaussianFrom, seededRandom } from '../../numbers/random.js';
import { onlyDenseStandard, standardise } from '../../numbers/standardise.js';
import type { DenseLayer } from '../../heads/head.js';
import type { TrainableTop } from '../../top/cut-backbone.js';
import { type FittedTop, fitTop } from '../../top/fit-top.js';
import { randomStart } from '../../top/random-start.js';
import { writeTopWeights } from '../../top/weights.js';
import type { FittedHead } from '../choose-head/contract.js';
import { heldOutExamples } from '../choose-head/held-out-rounds.js';
import { isSet } from '../choose-head/is-set.js';
import { rowWeights } from '../choose-head/row-weights.js';
import { fitRequest } from '../fit-request.js';
import type { ExtractedExamples, Run, Trained } from '../run.js';

/** Penalty of a head whose backbone starts at random weights: what suits the features at the start says nothing. */
const ANEW_PENALTY = 1e-3;

/** Where a top starts, and a head fitted on the features there. */
type Start = Pick<Trained, 'fitted' | 'request' | 'standard'> & {
  weights: TrainableTop['program']['weights'];
  headOn: Parameters<typeof fitTop>[0]['headOn'];
};

/**
 * Train the top of the backbone with its head.
 * @param frozen what was fitted on the frozen backbone; it stays where no epoch is better on held-out examples
 * @throws AppError `training_diverged`
 */
export async function trainTop(
  run: Run,
  extracted: ExtractedExamples,
  top: TrainableTop,
  frozen: Trained,
): Promise<Trained> {
  const { settings, seed, progress } = run;
  const { samples, parts } = extracted;
  const start = await startOf(run, extracted, top, frozen);
  const { request, standard } = start;
  const { mean, deviation } = onlyDenseStandard(standard);
  const blocks = top.blocks === 1 ? 'the top block' : `the top ${top.blocks} blocks`;
  const message = `Training ${settings.trainable === 'all' ? 'all layers' : blocks} of the backbone`;
  progress.event('phase', message, { phase: 'training', cut: top.program.cut.tensor });
  const held = heldOutExamples(request);
  const out = new Set(held);
  const tuned = await fitTop({
    engine: request.engine,
    program: top.program,
    weights: start.weights,
    read: extracted.readTrunk!,
    trunkDimensions: top.trunk.card.features.dimensions,
    y: samples.y,
    origin: samples.origin,
    classes: samples.labels.length,
    fit: request.train.filter((example) => !out.has(example)),
    held,
    finalFit: request.finalFit,
    mean,
    deviation,
    headOn: start.headOn,
    weightDecay: Number(start.fitted.settings.weight_decay),
    dropout: Number(start.fitted.settings.dropout ?? 0),
    rowWeights: (examples) => rowWeights(request, examples),
    defaults: settings,
    hyperparameters: settings.hyperparameters ?? {},
    seed,
    onEpoch: (curve) => progress.epoch(start.fitted.kind, curve),
    onProgress: (share) => progress.training(0.1 + 0.9 * share),
  });
  const tested = frozen.tested && (await tuned.score(parts.test));
  const fitted = fittedWith(tuned, start.fitted, { held, trainable: settings.trainable === 'all' ? 'all' : 'top' });
  const candidates = [...markTested(frozen.fitted, frozen.tested), ...markTested(fitted, tested)];
  if (tuned.epochs === 0 && settings.weights !== 'random') {
    progress.warn('Training the backbone did not lower the loss on held-out examples: the backbone stays as it is.');
    return { ...frozen, fitted: { ...frozen.fitted, candidates } };
  }
  const cut = { cut: top.program.cut, blocks: top.blocks, weights: settings.weights ?? 'pretrained' };
  return {
    ...frozen,
    fitted: { ...fitted, candidates },
    standard,
    tested,
    top: { cut, files: writeTopWeights(tuned.weights) },
    again: async (examples) => {
      const { layers, weights } = await tuned.again(examples);
      return { layers, top: { cut, files: writeTopWeights(weights) } };
    },
  };
}

async function startOf(run: Run, extracted: ExtractedExamples, top: TrainableTop, frozen: Trained): Promise<Start> {
  const { program, trunk } = top;
  const { samples, readTrunk, parts } = extracted;
  if (run.settings.weights !== 'random') {
    return { ...frozen, weights: program.weights, headOn: async (examples) => (await frozen.again(examples)).layers };
  }
  const { weights, x } = await randomStart({
    engine: frozen.request.engine,
    program,
    read: readTrunk!,
    dimensions: trunk.card.features.dimensions,
    rows: samples.y.length,
    features: samples.features.columns,
    seed: run.seed,
  });
  const features = dense(x, samples.features.columns);
  const standard = standardise(features, [...parts.train, ...parts.validation]);
  if (run.settings.trainable === 'all') {
    const headOn = async () => headAnew(frozen.fitted.layers, seededRandom(run.seed, 'random head'));
    const wanted = run.hyperparameters.weight_decay;
    const settings = { ...frozen.fitted.settings, weight_decay: isSet(wanted) ? wanted : ANEW_PENALTY };
    return { ...frozen, standard, weights, headOn, fitted: { ...frozen.fitted, settings } };
  }
  const request = { ...frozen.request, samples: { ...samples, features } };
  const { fitted, again } = await fitRequest(request);
  return { standard, weights, request, fitted, headOn: again };
}

/**
 * A head that knows nothing: hidden layers are random, and all classes equally likely. One that is fitted on features of
 * random layers clings to them.
 */
function headAnew(layers: DenseLayer[], random: () => number): DenseLayer[] {
  const gaussian = gaussianFrom(random);
  return layers.map((layer, i) => {
    const deviation = i === layers.length - 1 ? 0 : Math.sqrt(2 / layer.inputs);
    const kernel = layer.kernel.map(() => deviation * gaussian());
    return { ...layer, kernel, bias: new Float32Array(layer.units) };
  });
}

/** The head of a trained top, as if it had been chosen like any other. */
function fittedWith(
  tuned: FittedTop,
  start: FittedHead,
  { held, trainable }: { held: number[]; trainable: 'top' | 'all' },
): FittedHead {
  const { heldOut } = tuned;
  const candidate = heldOut && {
    head: start.kind,
    weight_decay: Number(start.settings.weight_decay),
    accuracy: accuracy(heldOut),
    log_loss: logLoss(heldOut),
    trainable,
  };
  return {
    kind: start.kind,
    layers: tuned.layers,
    temperature: heldOut ? fitTemperature(heldOut) : 1,
    heldOut: heldOut && { ...heldOut, examples: held },
    settings: { ...start.settings, optimizer: 'adam', ...tuned.settings },
    candidates: candidate ? [candidate] : [],
    curves: tuned.curves,
  };
}

/** The candidates of a fit, the chosen one with its accuracy on the test part. */
function markTested({ candidates, settings }: FittedHead, tested: Scored | undefined): FittedHead['candidates'] {
  return candidates.map((row) =>
    tested && row.weight_decay === settings.weight_decay && row.head === settings.head
      ? { ...row, test_accuracy: accuracy(tested) }
      : row,
  );
}
