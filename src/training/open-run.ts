import { AppError } from '../errors.js';
import { loadEngine, requireNative } from '../heads/engine.js';
import { Augmentation, trainsBackbone } from '../schemas/jobs.js';
import type { Hyperparameters } from '../schemas/jobs.js';
import { checkTraining } from './check-training.js';
import { labelledExamples } from './labelled-examples.js';
import { progressOf } from './progress.js';
import type { Run, TrainingOptions } from './run.js';

/** Open the data set of a job and check what was asked. @throws AppError when they do not allow a model */
export async function openRun(options: TrainingOptions): Promise<Run> {
  const { dataset: id, datasets, onProgress, onEvent, ...rest } = options;
  const { tenant, settings } = options;
  const dataset = await datasets.open(tenant, id);
  const card = await options.backbones.card(settings.backbone);
  checkTraining(dataset.manifest, settings, card);
  if (settings.trainable === 'all') requireNative(await loadEngine());
  const wanted = settings.hyperparameters ?? {};
  const modality = options.backbones.modalityOf(card);
  const { words } = modality;
  const augmentation = augmentationOf(wanted);
  if (augmentation && !modality.vary) {
    throw new AppError('setting_conflict', `Examples that are ${words.many} are not varied: use augmentation none.`);
  }
  const progress = progressOf({ onProgress, onEvent, trainsTop: trainsBackbone(settings) });
  const examples = labelledExamples(dataset.examples);
  const conflicts = dataset.examples.length - examples.length;
  if (conflicts > 0) {
    const have = conflicts === 1 ? `One ${words.one} has` : `${conflicts} ${words.many} have`;
    progress.warn(
      `${have} several labels and took no part: the data set's warnings and its duplicates other_label name them.`,
    );
  }
  return {
    ...rest,
    dataset,
    examples,
    labels: [...new Set(examples.map(({ label }) => label))].sort(),
    seed: settings.seed ?? 0,
    hyperparameters: trainsBackbone(settings) ? ofHead(wanted) : wanted,
    augmentation,
    modality,
    progress,
  };
}

/** Without what steers the training of the top: the head is fitted first, and as always. */
function ofHead(wanted: Hyperparameters): Hyperparameters {
  const steering = ['optimizer', 'epochs', 'batch_size', 'learning_rate', 'learning_rate_schedule', 'early_stopping'];
  return Object.fromEntries(Object.entries(wanted).filter(([name]) => !steering.includes(name)));
}

function augmentationOf({ augmentation }: Hyperparameters): Augmentation | undefined {
  if (typeof augmentation !== 'object') return undefined;
  const defaults = Object.entries(Augmentation.properties).map(([name, schema]) => [name, schema.default]);
  return { ...(Object.fromEntries(defaults) as Augmentation), ...augmentation };
}
