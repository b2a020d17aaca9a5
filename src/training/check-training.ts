import { AppError } from '../errors.js';
import type { Dataset } from '../schemas/datasets.js';
import type { BackboneCard, ImageBackboneCard } from '../schemas/backbones.js';
import { type JobSettings, trainsBackbone } from '../schemas/jobs.js';
import { isSet } from './choose-head/is-set.js';
import { refuseBlocks } from '../top/trainable-blocks.js';

/**
 * Refuse what cannot become a model, before it waits in a queue: what a schema cannot see.
 * @param card of the backbone
 * @throws AppError `too_few_classes`, `class_without_training_examples` or `setting_conflict`
 */
export function checkTraining(
  dataset: Pick<Dataset, 'classes' | 'modality'>,
  settings: JobSettings,
  card: BackboneCard & Pick<Partial<ImageBackboneCard>, 'top'>,
): void {
  refuseOtherModality(dataset, card);
  const labels = dataset.classes.map(({ label }) => label);
  if (labels.length < 2) {
    throw new AppError(
      'too_few_classes',
      `A classifier needs at least two classes; this data set has ${labels.length === 1 ? `one, '${labels[0]}'` : 'none'}. Add examples of another class.`,
      { details: { classes: labels } },
    );
  }
  const untrained = dataset.classes
    .filter(({ examples, splits }) => (splits ? splits.train === 0 : examples === 0))
    .map(({ label }) => label);
  if (untrained.length > 0) throw classWithoutTrainingExamples(untrained);
  checkSettings(settings, labels);
  refuseForSparse(settings, card);
  refuseBlocks(settings, card);
}

export function classWithoutTrainingExamples(labels: string[]): AppError {
  const which = labels.length === 1 ? 'the class' : `${labels.length} classes, such as`;
  return new AppError(
    'class_without_training_examples',
    `No training example for ${which} '${labels[0]}'. Add examples of it to the training part.`,
    { details: { classes: labels.slice(0, 100) } },
  );
}

function refuseOtherModality({ modality }: Pick<Dataset, 'modality'>, card: BackboneCard): void {
  if (card.modality === modality) return;
  throw new AppError(
    'setting_conflict',
    `Backbone '${card.id}' takes content of the kind '${card.modality}', and the data set holds content of the kind '${modality}'. Choose a backbone for that, or name none.`,
    { details: { backbone: card.id, takes: card.modality, dataset: modality } },
  );
}

/** Sparse features have so many columns that a hidden layer would take minutes, and a head of many megabytes. */
function refuseForSparse(settings: JobSettings, { id, features }: BackboneCard): void {
  if (features.kind !== 'sparse') return;
  const { head, hyperparameters: wanted = {} } = settings;
  if (trainsBackbone(settings)) {
    throw new AppError(
      'setting_conflict',
      `No part of backbone '${id}' can be trained: leave out trainable ${settings.trainable}.`,
    );
  }
  const { hidden_units: units, dropout } = wanted;
  const given = head === 'mlp' ? 'head mlp' : [units, dropout].some(isSet) ? 'hidden_units and dropout' : undefined;
  if (given === undefined) return;
  throw new AppError(
    'setting_conflict',
    `Backbone '${id}' has ${features.dimensions} sparse features, on which a linear head is fitted: leave out ${given}.`,
  );
}

function checkSettings(settings: JobSettings, labels: string[]): void {
  const wanted = settings.hyperparameters ?? {};
  const conflict = (message: string) => new AppError('setting_conflict', message);
  if (settings.trainable !== 'top' && isSet(wanted.trainable_blocks)) {
    throw conflict('trainable_blocks belongs to trainable top; leave it out or set trainable to top.');
  }
  if (!trainsBackbone(settings)) {
    if (settings.weights === 'random') {
      throw conflict(
        'weights random is for the trained part of a backbone; set trainable to top or all, or leave it out.',
      );
    }
  } else if (settings.head === 'prototype') {
    throw conflict(
      `head prototype is not trained, so nothing can be trained with it; take linear or mlp for trainable ${settings.trainable}.`,
    );
  } else if (wanted.optimizer === 'lbfgs') {
    throw conflict(
      `optimizer lbfgs fits a linear head only; trainable ${settings.trainable} needs adam: leave optimizer out.`,
    );
  }
  if (wanted.optimizer === 'lbfgs') {
    if (isSet(wanted.hidden_units) || isSet(wanted.dropout)) {
      throw conflict('optimizer lbfgs fits the linear head only, which has no hidden_units and no dropout.');
    }
    if (settings.head === 'mlp') throw conflict('optimizer lbfgs fits the linear head only; use adam for mlp.');
    if (isSet(wanted.learning_rate) || isSet(wanted.batch_size) || isSet(wanted.learning_rate_schedule)) {
      throw conflict('optimizer lbfgs has no learning_rate and no batch_size; leave them out or use adam.');
    }
  }
  if (settings.head === 'linear' && (isSet(wanted.hidden_units) || isSet(wanted.dropout))) {
    throw conflict('hidden_units and dropout belong to the mlp head; leave them out or use head mlp.');
  }
  if (settings.head === 'prototype') {
    const fitted = ['optimizer', 'epochs', 'batch_size', 'learning_rate', 'learning_rate_schedule'] as const;
    const unused = [...fitted, 'weight_decay', 'early_stopping', 'dropout', 'hidden_units', 'class_weights'] as const;
    const given = unused.find((name) => isSet(wanted[name]) && wanted[name] !== 'none');
    if (given) throw conflict(`The prototype head is not fitted in steps and has no ${given}; leave it out.`);
  }
  if (typeof wanted.class_weights === 'object') {
    const { class_weights: weights } = wanted;
    if (labels.every((label) => weights[label] === 0)) {
      throw conflict('class_weights are 0 for every class, so nothing would be learnt. Give one of them a weight.');
    }
    const unknown = Object.keys(wanted.class_weights).filter((label) => !labels.includes(label));
    if (unknown.length > 0) {
      throw new AppError(
        'setting_conflict',
        `class_weights names '${unknown[0]}', which is no class of this data set.`,
        { details: { unknown: unknown.slice(0, 100), classes: labels.slice(0, 100) } },
      );
    }
  }
}
