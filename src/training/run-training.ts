import { createHash } from 'node:crypto';
import type { Backbones } from '../backbones/backbones.js';
import type { FeatureCache } from '../backbones/feature-cache.js';
import { type ImageLimits, PIXELS_VERSION } from '../backbones/image/pixels.js';
import type { Datasets } from '../datasets/datasets.js';
import { AppError } from '../errors.js';
import { type Engine, loadEngine } from '../heads/engine.js';
import { writeExemplars } from '../heads/exemplars.js';
import { folded } from '../heads/head.js';
import { headLogits } from '../heads/head-logits.js';
import { writeTfjsLayers } from '../heads/tfjs-layers.js';
import { dense, firstRows } from '../numbers/features.js';
import { seededRandom } from '../numbers/random.js';
import { standardise } from '../numbers/standardise.js';
import type { Registry } from '../registry/registry.js';
import type { HeadKind, Split } from '../schemas/common.js';
import type { LabelledExample } from '../schemas/datasets.js';
import type { Augmentation, Hyperparameters, JobEvent, JobPhase, JobProgress, JobSettings } from '../schemas/jobs.js';
import { Augmentation as AugmentationSchema } from '../schemas/jobs.js';
import type { Curve, Evaluation, Report } from '../schemas/report.js';
import type { VersionManifest } from '../schemas/versions.js';
import { cutBackbone } from '../top/cut-backbone.js';
import { topFeatures } from '../top/fit-network.js';
import { type FittedTop, fitTop } from './stages/train-top.js';
import { TopNetwork } from '../top/network.js';
import { randomTopWeights } from '../top/random-weights.js';
import { writeTopWeights } from '../top/weights.js';
import { checkTraining, classWithoutTrainingImages } from './check-training.js';
import { fitHead } from './choose-head/fit-head.js';
import { fixedTo } from './choose-head/fixed-to.js';
import type { FittedHead, HeadOptions } from './choose-head/head-fit.js';
import type { Samples } from './choose-head/samples.js';
import { examineData } from './doctor/examine-data.js';
import { labelledExamples } from './labelled-examples.js';
import { modelCard } from './model-card.js';
import { chooseExemplars } from './stages/choose-exemplars.js';
import { accuracy, argMax, probabilities, type Scored } from '../numbers/scores.js';
import { evaluate } from './stages/evaluate.js';
import { type ExtractProgress, extractFeatures } from './stages/extract-features.js';
import { dealFolds, splitDataset } from './stages/split.js';
import { trunkOutputs } from './stages/trunk-outputs.js';

export interface TrainingOptions {
  tenant: string;
  job: string;
  dataset: string;
  settings: JobSettings & { backbone: string };
  datasets: Pick<Datasets, 'open'>;
  registry: Registry;
  backbones: Backbones;
  cache: FeatureCache;
  limits: ImageLimits;
  onProgress: (progress: JobProgress) => void;
  onEvent: (event: Pick<JobEvent, 'type' | 'message' | 'data'>) => void;
}

const MAX_MISTAKES = 200;
/** λ of a linear head on standardised features, where none was chosen. */
const USUAL_PENALTY = 0.1;
const CACHE_WARNING = 'Features could not be cached (is the disk full?): the next job computes them again.';
/** Few images need more folds to tell settings apart, and can afford them; many need none. */
const foldsFor = (images: number) => (images <= 1000 ? 5 : 3);
const MAX_FOLDED_IMAGES = 20_000;
const LARGE_VALIDATION_FRACTION = 0.1;
const DEFAULT_TEST_FRACTION = 0.2;

/** Where each phase ends on the progress bar; features take nearly all of the time. */
const PHASE_ENDS: Record<JobPhase, number> = { extracting: 0.85, training: 0.96, evaluating: 0.98, publishing: 1 };
/** Training the top takes longer than both passes. */
const PHASE_ENDS_OF_TOP: typeof PHASE_ENDS = { ...PHASE_ENDS, extracting: 0.3 };

/**
 * Train and publish one version: split → features → head → temperature → evaluation → publish.
 * Idempotent: features come from the cache, and a job that has published answers with what it published.
 * @throws AppError when the data set or the settings do not allow a model
 */
export async function runTraining(options: TrainingOptions): Promise<VersionManifest> {
  const { tenant, job, settings, registry } = options;
  const published = await registry.publishedBy(tenant, settings.model, job);
  if (published) return published;
  const began = performance.now();
  const progress = progressOf(options);
  const warn = (message: string) => {
    warnings.push(message);
    options.onEvent({ type: 'warning', message, data: {} });
  };
  const warnings: string[] = [];

  const dataset = await options.datasets.open(tenant, options.dataset);
  const entries = labelledExamples(dataset.examples);
  const conflicts = dataset.examples.length - entries.length;
  if (conflicts > 0) {
    const have = conflicts === 1 ? '1 example has' : `${conflicts} examples have`;
    warn(`${have} several labels and took no part: the data set's warnings and its duplicates other_label name them.`);
  }
  const trainsTop = settings.trainable === 'top';
  const wanted = settings.hyperparameters ?? {};
  // Of a job that trains the top, what steers Adam is the top's: its head is fitted first, and as always.
  const hyperparameters = trainsTop ? ofHead(wanted) : wanted;
  const seed = settings.seed ?? 0;
  const labels = [...new Set(entries.map(({ label }) => label))].sort();
  checkTraining(dataset.manifest, settings);
  const testFraction = settings.test_fraction ?? DEFAULT_TEST_FRACTION;
  const large = entries.length > MAX_FOLDED_IMAGES;
  const validationFraction = settings.validation_fraction ?? (large ? LARGE_VALIDATION_FRACTION : undefined);
  const planned = splitDataset(entries, { seed, testFraction, validationFraction });
  const augmentation = augmentationOf(hyperparameters);

  progress.phase('extracting', 'Reading features');
  const charts = import('./charts.js'); // Vega takes a while to load, and this thread has little to do now
  charts.catch(() => undefined); // it is awaited below
  const backbone = await options.backbones.load(settings.backbone);
  const copies = augmentation ? augmentation.copies * planned.train.length : 0;
  const top = trainsTop
    ? await cutBackbone(settings, { backbones: options.backbones, rows: entries.length + copies })
    : undefined;
  const extraction = {
    entries,
    readImage: (entry: LabelledExample) => dataset.readContent(entry),
    backbone,
    cache: options.cache,
    limits: options.limits,
    augmentation: augmentation && { settings: augmentation, images: planned.train },
    onProgress: progress.extracting(0, top ? 2 : 1),
    onCacheError: () => {
      if (!warnings.includes(CACHE_WARNING)) warn(CACHE_WARNING);
    },
  };
  const extracted = await extractFeatures(extraction);
  const read =
    top &&
    (await trunkOutputs({ ...extraction, backbone: top.split, onProgress: progress.extracting(1, 2) }, extracted.kept));
  if (extracted.skipped.length > 0) {
    warn(
      `${extracted.skipped.length} images could not be decoded and were left out, such as ${extracted.skipped[0]!.name}.`,
    );
  }
  const images: LabelledExample[] = extracted.kept.map((index) => entries[index]!);
  const place = new Map(extracted.kept.map((entry, row) => [entry, row]));
  const rowsOf = (indices: number[]) => indices.flatMap((index) => place.get(index) ?? []);
  const parts = {
    train: rowsOf(planned.train),
    validation: rowsOf(planned.validation),
    test: rowsOf(planned.test),
  };

  const trained = new Set(parts.train.map((image) => images[image]!.label));
  const untrained = labels.filter((label) => !trained.has(label));
  if (untrained.length > 0) throw classWithoutTrainingImages(untrained); // all of its images could not be decoded

  progress.phase('training', 'Fitting the head');
  const headBegan = performance.now();
  const engine = await loadEngine();
  const index = new Map(labels.map((label, k) => [label, k]));
  const y = Int32Array.from(extracted.origin, (image) => index.get(images[image]!.label)!);
  const known = [...parts.train, ...parts.validation];
  const features = dense(extracted.x, backbone.card.features.dimensions);
  let { mean, deviation } = standardise(features, known);
  const samples: Samples = { features, y, origin: extracted.origin, labels };
  const foldCount = foldsFor(parts.train.length);
  const folds =
    parts.validation.length > 0 ? new Map<number, number>() : dealFolds(images, parts.train, foldCount, seed);
  if ([...folds.values()].every((fold) => fold < 0)) folds.clear();
  const request: HeadOptions = {
    engine,
    samples,
    train: parts.train,
    validation: parts.validation,
    folds,
    foldCount,
    finalFit: settings.refit === 'none' ? parts.train : known,
    head: settings.head ?? 'auto',
    hyperparameters,
    seed,
    onEpoch: progress.epoch,
    onProgress: progress.training,
  };
  let fitted = await fitHead(request);
  if (fitted.heldOut === undefined) warn('Nothing could be held out to choose settings on: defaults were used.');
  // Scored before a fit on all images, which would have seen them.
  let scored = parts.test.length > 0 ? scoreImages({ fitted, engine, samples, images: parts.test }) : undefined;
  let tuned: FittedTop | undefined;
  if (top && read) {
    const begin = await startOfTop();
    const message = `Training ${top.blocks === 1 ? 'the top block' : `the top ${top.blocks} blocks`} of the backbone`;
    options.onEvent({ type: 'phase', message, data: { phase: 'training', cut: top.program.cut.tensor } });
    tuned = await fitTop({
      ...begin,
      program: top.program,
      read,
      trunkDimensions: top.split.card.features.dimensions,
      hyperparameters: wanted,
      onEpoch: (curve) => progress.epoch(begin.start.kind, curve),
      onProgress: (share) => progress.training(0.1 + 0.9 * share),
    });
    const score = scored && (await tuned.score(parts.test));
    const candidates = [...markTested(fitted, scored), ...markTested(tuned.fitted, score)];
    if (tuned.epochs === 0 && settings.weights !== 'random') {
      warn('Training the top did not lower the loss on held-out images: the backbone stays as it is.');
      fitted = { ...fitted, candidates };
      tuned = undefined;
    } else {
      fitted = { ...tuned.fitted, candidates };
      scored = score;
      ({ mean, deviation } = begin);
    }
  }
  const mistakes = scored
    ? mistakesOf({
        tested: scored,
        temperature: fitted.temperature,
        labels,
        images: parts.test.map((image) => images[image]!),
      })
    : [];
  const tested = evaluateHead({ fitted, samples, train: parts.train, tested: scored, folded: folds.size > 0 });
  if (tested === null) warn('Nothing could be held out, so the accuracy of this version is not known.');
  else if (tested.examples < 30)
    warn(
      `Accuracy was measured on ${tested.examples === 1 ? 'one image' : `${tested.examples} images`} only; take it as a hint.`,
    );
  const gained =
    augmentation && tested && !tuned ? await augmentationGain({ request, tested, test: parts.test }) : null;
  if (gained && gained.gain_points <= 0) {
    warn(
      `Augmentation brought ${gained.gain_points.toFixed(1)} points of accuracy here: the job is faster without it.`,
    );
  }
  let finalImages = request.finalFit;
  if (settings.refit === 'all') {
    const everything = [...images.keys()];
    const final = tuned
      ? await tuned.again(everything)
      : await fitHead({
          ...request,
          ...fixedTo(fitted, hyperparameters),
          train: everything,
          finalFit: everything,
          validation: [],
          folds: new Map(),
          onEpoch: () => undefined,
        });
    fitted = { ...fitted, layers: final.layers };
    if (tuned && 'weights' in final) tuned = { ...tuned, weights: final.weights };
    finalImages = everything;
  }
  /** Where the top starts, the features there, and a head fitted on them. */
  async function startOfTop() {
    const { program } = top!;
    const start = { weights: program.weights, mean, deviation, request, start: fitted };
    if (settings.weights !== 'random') return start;
    const weights = randomTopWeights(program, seededRandom(seed, 'random top'));
    const network = new TopNetwork(engine, program, weights);
    const [D, dimensions, rows] = [features.columns, top!.split.card.features.dimensions, samples.y.length];
    const x = await topFeatures({ engine, network, read: read!, dimensions, rows, features: D });
    network.dispose();
    const started = dense(x, D);
    const standard = standardise(started, known);
    const other = { ...request, samples: { ...samples, features: started } };
    return { ...start, ...standard, weights, request: other, start: await fitHead(other) };
  }
  const headSeconds = (performance.now() - headBegan) / 1000;
  options.onEvent({
    type: 'selected',
    message: `Chose a ${fitted.kind} head${tested ? `, accuracy ${(tested.accuracy * 100).toFixed(1)} % on ${tested.examples} unseen images` : ''}`,
    data: { ...fitted.settings, accuracy: tested?.accuracy ?? null },
  });

  progress.phase('evaluating', 'Looking for faults in the data');
  const data = await examineData({
    entries: images,
    ...samples,
    splits: splitsOf(parts, images.length),
    weightDecay: penaltyOf(fitted),
    seed,
    readImage: (entry) => dataset.readContent(entry),
    limits: options.limits,
  });
  const head = folded({ layers: fitted.layers }, { mean, deviation, temperature: fitted.temperature });
  if (head.layers.some(({ kernel, bias }) => ![...kernel, ...bias].every(Number.isFinite))) {
    throw new AppError('training_diverged', 'The training diverged: weights became infinite. Lower learning_rate.');
  }
  const { model: modelJson, weights } = await writeTfjsLayers(head);
  const topFiles = tuned && writeTopWeights(tuned.weights);
  const changed = top &&
    tuned && { cut: top.program.cut, blocks: top.blocks, weights: settings.weights ?? 'pretrained' };
  const report: Report = {
    model: settings.model,
    job,
    dataset: {
      id: dataset.manifest.id,
      sha256: dataset.manifest.sha256,
      examples: entries.length,
      classes: labels.length,
    },
    backbone: {
      id: backbone.card.id,
      sha256: backbone.card.sha256,
      dimensions: backbone.card.features.dimensions,
    },
    engines: {
      backbone: `onnxruntime-node ${backbone.provider}`,
      head: fitted.settings.optimizer === 'lbfgs' ? 'onnxruntime-node cpu' : engine.name,
    },
    split: {
      source: planned.source,
      train: parts.train.length,
      validation: parts.validation.length,
      test: parts.test.length,
      folds: folds.size > 0 ? foldCount : 0,
      final_fit: finalImages.length,
    },
    settings: {
      ...fitted.settings,
      class_weights: hyperparameters.class_weights ?? 'auto',
      augmentation: augmentation ?? 'none',
      ...(trainsTop && {
        trainable: changed ? 'top' : 'none',
        trainable_blocks: changed?.blocks ?? 0,
        weights: settings.weights ?? 'pretrained',
      }),
      seed,
      test_fraction: planned.source === 'given' ? null : testFraction,
      validation_fraction: validationFraction ?? null,
      refit: settings.refit ?? 'train_validation',
      temperature: fitted.temperature,
      pixels: PIXELS_VERSION,
    },
    candidates: fitted.candidates,
    augmentation: gained,
    evaluation: tested,
    mistakes,
    data,
    curves: fitted.curves,
    timings: {
      features_seconds: extracted.seconds,
      examples_per_second: extracted.perSecond,
      examples_cached: extracted.cached,
      head_seconds: headSeconds,
      total_seconds: (performance.now() - began) / 1000,
    },
    skipped: extracted.skipped,
    warnings,
    created_at: new Date().toISOString(),
  };
  const digest = createHash('sha256')
    .update(JSON.stringify({ labels, backbone: backbone.card.sha256, model: modelJson }))
    .update(weights)
    .update(topFiles ? JSON.stringify(changed) : '')
    .update(topFiles?.weights ?? '')
    .digest('hex');
  const files = new Map<string, Uint8Array | string>([
    ['README.md', modelCard(report, labels, backbone.card)],
    ['labels.json', JSON.stringify(labels)],
    ['head/model.json', modelJson],
    ['head/weights.bin', weights],
    ['report.json', JSON.stringify(report)],
  ]);
  // A trained top makes other features than those at hand: such a version remembers no images.
  if (!tuned) {
    const remembered = chooseExemplars(finalImages, y, features.columns, seed);
    const exemplars = writeExemplars({
      images: remembered.map((image) => {
        const { sha256, name, label } = images[image]!;
        return { sha256, name, label };
      }),
      rows: remembered,
      of: finalImages.length,
      x: features.values,
      mean,
      deviation,
    });
    files.set('exemplars/features.bin', exemplars.features);
    files.set('exemplars/images.json', exemplars.images);
  }
  const { confusionSvg, curvesSvg } = await charts;
  if (report.curves.length > 0) files.set('report/curves.svg', await curvesSvg(report.curves));
  if (tested) files.set('report/confusion.svg', await confusionSvg(tested));
  if (topFiles) files.set('top/weights.json', topFiles.index).set('top/weights.bin', topFiles.weights);

  progress.phase('publishing', 'Publishing the version');
  return registry.publish({
    tenant,
    job,
    model: settings.model,
    files,
    manifest: {
      model: settings.model,
      job,
      dataset: options.dataset,
      backbone: report.backbone,
      head: fitted.kind,
      ...(changed && { top: changed }),
      labels,
      accuracy: tested?.accuracy ?? null,
      description: settings.description ?? null,
      digest,
    },
  });
}

/** Without what steers the training of the top. */
function ofHead(wanted: Hyperparameters): Hyperparameters {
  const { optimizer: _a, epochs: _b, batch_size: _c, learning_rate: _d, early_stopping: _e, ...rest } = wanted;
  return rest;
}

/** The candidates of a fit, the chosen one with its accuracy on the test part. */
function markTested({ candidates, settings }: FittedHead, scored: Scored | undefined): Report['candidates'] {
  return candidates.map((row) =>
    scored && row.weight_decay === settings.weight_decay && row.head === settings.head
      ? { ...row, test_accuracy: accuracy(scored) }
      : row,
  );
}

function augmentationOf({ augmentation }: Hyperparameters): Augmentation | undefined {
  if (typeof augmentation !== 'object') return undefined;
  const defaults = Object.entries(AugmentationSchema.properties).map(([name, schema]) => [name, schema.default]);
  return { ...(Object.fromEntries(defaults) as Augmentation), ...augmentation };
}

function scoreImages(options: { fitted: FittedHead; engine: Engine; samples: Samples; images: number[] }): Scored {
  const { fitted, engine, samples, images } = options;
  return {
    logits: headLogits({ engine, layers: fitted.layers, features: samples.features, rows: images }),
    y: Int32Array.from(images, (image) => samples.y[image]!),
    classes: samples.labels.length,
  };
}

/** Figures from the test part; without one, from the images that chose the settings; else none. */
function evaluateHead(options: {
  fitted: FittedHead;
  samples: Samples;
  train: number[];
  tested: Scored | undefined;
  folded: boolean;
}): Evaluation | null {
  const { fitted, samples, train, tested, folded } = options;
  const { labels, y } = samples;
  const trainCounts = labels.map((_, k) => train.filter((image) => y[image] === k).length);
  const shared = { labels, trainCounts, temperature: fitted.temperature };
  if (tested) return evaluate(tested, { ...shared, on: 'test' });
  if (!fitted.heldOut) return null;
  // Adam is watched on one fold only.
  const on = folded && fitted.settings.optimizer !== 'adam' ? 'cross_validation' : 'validation';
  return evaluate(fitted.heldOut, { ...shared, on });
}

/** The same fit on the images alone, without their varied copies, beside the one with them: on the same unseen images. */
async function augmentationGain(options: {
  request: HeadOptions;
  tested: Evaluation;
  test: number[];
}): Promise<NonNullable<Report['augmentation']>> {
  const { request, tested, test } = options;
  const { features, y, origin, labels } = request.samples;
  const images = origin.findIndex((image, row) => image !== row);
  const count = images < 0 ? origin.length : images;
  const samples: Samples = {
    features: firstRows(features, count),
    y: y.subarray(0, count),
    origin: origin.subarray(0, count),
    labels,
  };
  const fitted = await fitHead({ ...request, samples, onEpoch: () => undefined, onProgress: () => undefined });
  const plain = evaluateHead({
    fitted,
    samples,
    train: request.train,
    tested: test.length > 0 ? scoreImages({ fitted, engine: request.engine, samples, images: test }) : undefined,
    folded: request.folds.size > 0,
  })!;
  return {
    copies: origin.length - count,
    accuracy: tested.accuracy,
    accuracy_without: plain.accuracy,
    gain_points: 100 * (tested.accuracy - plain.accuracy),
    log_loss: tested.log_loss,
    log_loss_without: plain.log_loss,
  };
}

/** Test images that were classified wrongly, the surest mistakes first. */
function mistakesOf(options: {
  tested: Scored;
  temperature: number;
  labels: string[];
  images: LabelledExample[];
}): Report['mistakes'] {
  const { tested, temperature, labels, images } = options;
  const K = labels.length;
  const mistakes = images.flatMap(({ name, label }, row) => {
    const p = probabilities(tested.logits.subarray(row * K, (row + 1) * K), temperature);
    const guess = argMax(p);
    return guess === tested.y[row] ? [] : [{ name, label, predicted: labels[guess]!, score: p[guess]! }];
  });
  return mistakes.sort((a, b) => b.score - a.score).slice(0, MAX_MISTAKES);
}

/** The part of each image. */
function splitsOf(parts: Record<Split, number[]>, images: number): Split[] {
  const splits = new Array<Split>(images);
  for (const split of ['train', 'validation', 'test'] as const) for (const image of parts[split]) splits[image] = split;
  return splits;
}

/** For heads that doubt labels: what was chosen for the linear head, or what usually is. */
function penaltyOf({ candidates }: FittedHead): number {
  const linear = candidates.filter(({ head }) => head === 'linear').sort((a, b) => a.log_loss - b.log_loss);
  return linear[0]?.weight_decay ?? USUAL_PENALTY;
}

/** Turns what the phases report into a progress that never falls. */
function progressOf({ onProgress, onEvent, settings }: TrainingOptions) {
  const phaseEnds = settings.trainable === 'top' ? PHASE_ENDS_OF_TOP : PHASE_ENDS;
  let state: JobProgress = {
    phase: 'extracting',
    progress: 0,
    examples_done: 0,
    examples_total: 0,
    examples_cached: 0,
    examples_per_second: null,
    seconds_left: null,
    metrics: null,
  };
  const update = (change: Partial<JobProgress>) => {
    state = { ...state, ...change, progress: Math.max(state.progress, change.progress ?? 0) };
    onProgress(state);
  };
  const within = (phase: JobPhase, share: number) => {
    const ends = Object.entries(phaseEnds);
    const start = ends[ends.findIndex(([name]) => name === phase) - 1]?.[1] ?? 0;
    return start + share * (phaseEnds[phase] - start);
  };
  return {
    phase(phase: JobPhase, message: string) {
      onEvent({ type: 'phase', message, data: { phase } });
      update({ phase, progress: within(phase, 0), ...(phase !== 'extracting' && { seconds_left: null }) });
    },
    /** Of pass `pass` (from 0) of `passes`. */
    extracting: (pass: number, passes: number) => (progress: ExtractProgress) =>
      update({
        progress: within('extracting', (pass + progress.done / Math.max(1, progress.total)) / passes),
        examples_done: progress.done,
        examples_total: progress.total,
        examples_cached: progress.cached,
        examples_per_second: progress.perSecond,
        seconds_left: progress.secondsLeft,
      }),
    training(share: number) {
      update({ progress: within('training', share) });
    },
    epoch(head: HeadKind, curve: Curve) {
      onEvent({ type: 'epoch', message: `Epoch ${curve.epoch} of the ${head} head`, data: { head, ...curve } });
      const { epoch, train_loss, validation_loss, validation_accuracy } = curve;
      update({ metrics: { head, epoch, train_loss, validation_loss, validation_accuracy } });
    },
  };
}
