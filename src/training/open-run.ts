import { Augmentation } from '../schemas/jobs.js';
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
  checkTraining(dataset.manifest, settings);
  const wanted = settings.hyperparameters ?? {};
  const words = { one: 'image', many: 'images' };
  const progress = progressOf({ onProgress, onEvent, trainsTop: settings.trainable === 'top' });
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
    hyperparameters: settings.trainable === 'top' ? ofHead(wanted) : wanted,
    augmentation: augmentationOf(wanted),
    words,
    progress,
  };
}

/** Without what steers the training of the top: the head is fitted first, and as always. */
function ofHead(wanted: Hyperparameters): Hyperparameters {
  const { optimizer: _a, epochs: _b, batch_size: _c, learning_rate: _d, early_stopping: _e, ...rest } = wanted;
  return rest;
}

function augmentationOf({ augmentation }: Hyperparameters): Augmentation | undefined {
  if (typeof augmentation !== 'object') return undefined;
  const defaults = Object.entries(Augmentation.properties).map(([name, schema]) => [name, schema.default]);
  return { ...(Object.fromEntries(defaults) as Augmentation), ...augmentation };
}
