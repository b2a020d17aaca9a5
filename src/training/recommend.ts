/** Which backbone suits a data set: each that is installed is tried on a few of its examples. */
import type { Backbones } from '../backbones/backbones.js';
import type { FeatureCache } from '../backbones/feature-cache.js';
import type { Datasets } from '../datasets/datasets.js';
import { AppError } from '../errors.js';
import { loadEngine } from '../heads/engine.js';
import { accuracy, wilsonInterval } from '../numbers/scores.js';
import { standardise } from '../numbers/standardise.js';
import type { LabelledExample } from '../schemas/datasets.js';
import type { Recommendation, TriedBackbone } from '../schemas/backbones.js';
import type { JobEvent } from '../schemas/jobs.js';
import { checkTraining } from './check-training.js';
import { extractFeatures } from './extract/extract-features.js';
import { fitRequest } from './fit-request.js';
import { labelledExamples } from './labelled-examples.js';
import { dealFolds } from './parts.js';

/** Examples that are tried, and of these, examples whose passes are timed. */
const EXAMPLES = 200;
const TIMED = 32;
const FOLDS = 5;

export interface RecommendOptions {
  tenant: string;
  dataset: string;
  datasets: Pick<Datasets, 'open'>;
  backbones: Backbones;
  cache: FeatureCache;
  /** The backbone that jobs take which name none. */
  standard: string;
  onProgress: (share: number) => void;
  onEvent: (event: Pick<JobEvent, 'type' | 'message' | 'data'>) => void;
}

/**
 * Features of 200 examples by every installed backbone for such content: how many a second, and how often a linear head on them is right,
 * by cross-validation.
 * @throws AppError `dataset_not_found`, `too_few_classes`, `class_without_training_examples`
 */
export async function recommendBackbone(options: RecommendOptions): Promise<Recommendation> {
  const { tenant, dataset: id, datasets, backbones, standard, onProgress, onEvent } = options;
  const dataset = await datasets.open(tenant, id);
  const all = labelledExamples(dataset.examples);
  const sample = sampleOf(all, EXAMPLES);
  const cards = (await backbones.list()).filter((card) => backbones.modalityOf(card).id === dataset.manifest.modality);
  const [first] = cards;
  if (!first) {
    throw new AppError('backbone_not_found', `No backbone is installed that takes ${dataset.manifest.modality}.`);
  }
  checkTraining(dataset.manifest, { model: 'none' }, first);
  const tried: TriedBackbone[] = [];
  for (const [i, card] of cards.entries()) {
    onEvent({ type: 'phase', message: `Trying ${card.id}`, data: { phase: 'trying', backbone: card.id } });
    tried.push(await tryOne(options, { card, sample, dataset }));
    onProgress((i + 1) / cards.length);
  }
  tried.sort((a, b) => b.accuracy - a.accuracy || b.examples_per_second - a.examples_per_second);
  return { data: tried, examples: sample.length, ...advise(tried, standard) };
}

async function tryOne(
  { backbones, cache }: RecommendOptions,
  {
    card,
    sample,
    dataset,
  }: {
    card: { id: string };
    sample: LabelledExample[];
    dataset: Awaited<ReturnType<Datasets['open']>>;
  },
): Promise<TriedBackbone> {
  const backbone = await backbones.load(card.id);
  const perSecond = await speedOf(backbone, dataset.readForward(sample.slice(0, TIMED)));
  const { features, kept } = await extractFeatures({
    examples: sample,
    readForward: dataset.readForward,
    backbone,
    cache,
    vary: undefined,
    augmentation: undefined,
    onProgress: () => undefined,
    onCacheError: () => undefined,
  });
  const examples = kept.map((index) => sample[index]!);
  const labels = [...new Set(examples.map(({ label }) => label))].sort();
  const places = [...examples.keys()];
  const y = Int32Array.from(examples, ({ label }) => labels.indexOf(label));
  standardise(features, places);
  const folds = dealFolds(examples, places, FOLDS, 0);
  const { fitted } = await fitRequest({
    engine: await loadEngine(),
    samples: { features, y, origin: Int32Array.from(places), labels },
    train: places,
    validation: [],
    folds,
    foldCount: FOLDS,
    finalFit: places,
    head: 'linear',
    hyperparameters: {},
    seed: 0,
    onEpoch: () => undefined,
    onProgress: () => undefined,
  });
  const { heldOut } = fitted;
  const judged = heldOut?.y.length ?? 0;
  const share = heldOut ? accuracy(heldOut) : 0;
  return {
    backbone: card.id,
    accuracy: share,
    accuracy_interval: wilsonInterval(Math.round(share * judged), judged),
    examples_per_second: Math.round(perSecond * 10) / 10,
    features: backbone.card.features.dimensions,
  };
}

/** Examples a second from content to features, nothing cached. */
async function speedOf(
  backbone: Awaited<ReturnType<Backbones['load']>>,
  contents: AsyncIterable<Buffer>,
): Promise<number> {
  const read: Buffer[] = [];
  for await (const content of contents) read.push(content);
  const size = backbone.batch.extracting;
  const batches = Array.from({ length: Math.ceil(read.length / size) }, (_, i) => read.slice(i * size, (i + 1) * size));
  const began = performance.now();
  let [next, done] = [0, 0];
  const lane = async () => {
    for (let batch = batches[next++]; batch; batch = batches[next++]) {
      const prepared = await Promise.all(batch.map((content) => backbone.prepare(content).catch(() => undefined)));
      const good = prepared.filter((one) => one !== undefined);
      if (good.length > 0) await backbone.embed(good);
      done += good.length;
    }
  };
  await Promise.all(Array.from({ length: backbone.passes + 1 }, lane));
  return (done * 1000) / (performance.now() - began);
}

/** As many of each class as can be, those with the lowest digests; in the order of the pack. */
function sampleOf(examples: LabelledExample[], most: number): LabelledExample[] {
  const classes = new Map<string, number[]>();
  for (const [index, { label }] of examples.entries()) classes.set(label, [...(classes.get(label) ?? []), index]);
  const queues = [...classes.values()].map((members) =>
    members.sort((a, b) => (examples[a]!.sha256 < examples[b]!.sha256 ? -1 : 1)),
  );
  const taken: number[] = [];
  for (let round = 0; taken.length < Math.min(most, examples.length); round += 1) {
    for (const members of queues) {
      const index = members[round];
      if (index !== undefined && taken.length < most) taken.push(index);
    }
  }
  return taken.sort((a, b) => a - b).map((index) => examples[index]!);
}

/** @param tried the best first */
function advise(tried: TriedBackbone[], standard: string): Pick<Recommendation, 'backbone' | 'sentence'> {
  const [best] = tried as [TriedBackbone];
  // Of those that may be as good, the fastest.
  const asGood = tried.filter(({ accuracy: one }) => one >= best.accuracy_interval[0]!);
  const fastest = asGood.reduce((most, one) => (one.examples_per_second > 1.5 * most.examples_per_second ? one : most));
  const percent = (share: number) => `${(100 * share).toFixed(0)} %`;
  const words = ({ backbone, accuracy: share, examples_per_second: speed }: TriedBackbone) =>
    `${backbone} (${percent(share)} right, ${speed.toFixed(0)} a second)`;
  if (tried.length === 1) {
    return { backbone: best.backbone, sentence: `${words(best)} is the only one installed. Pull others to compare.` };
  }
  const usual = fastest.backbone === standard ? ', the default' : '';
  if (fastest === best)
    return { backbone: best.backbone, sentence: `Take ${words(best)}${usual}: none is better here.` };
  return {
    backbone: fastest.backbone,
    sentence: `Take ${words(fastest)}${usual}: ${words(best)} is not surely better on so few examples, and slower.`,
  };
}
