import { trainsBackbone } from '../../schemas/jobs.js';
import type { DataFindings, Report } from '../../schemas/report.js';
import type { ExtractedExamples, Measured, Networks, Parts, Run, Trained } from '../run.js';

/** What the earlier stages answered. */
export interface Findings {
  split: Parts;
  networks: Networks;
  extracted: ExtractedExamples;
  trained: Trained;
  measured: Measured;
  augmentation: Report['augmentation'];
  data: DataFindings;
  advice: Report['advice'];
  compared: Report['compared'];
}

/** What was done, and what is known of the result. */
export function report(run: Run, findings: Findings): Report {
  const { settings, dataset, labels, progress, job } = run;
  const { split, networks, extracted, trained, measured, augmentation, data, advice, compared } = findings;
  const { parts, skipped } = extracted;
  const { fitted, request, fittedOn } = trained;
  const { card, provider } = networks.backbone;
  return {
    model: settings.model,
    job,
    dataset: {
      id: dataset.manifest.id,
      sha256: dataset.manifest.sha256,
      examples: dataset.examples.length,
      conflicts: dataset.examples.length - run.examples.length,
      classes: labels.length,
    },
    backbone: { id: card.id, sha256: card.sha256, dimensions: card.features.dimensions },
    engines: {
      backbone: run.modality.onnx ? `onnxruntime-node ${provider}` : provider,
      head: fitted.settings.optimizer === 'lbfgs' ? 'onnxruntime-node cpu' : request.engine.name,
    },
    split: {
      source: split.source,
      train: parts.train.length,
      validation: parts.validation.length,
      test: parts.test.length,
      folds: request.folds.size > 0 ? request.foldCount : 0,
      final_fit: fittedOn.length,
    },
    settings: { ...settingsOf(run, split, trained), recipe: card.recipe },
    candidates: fitted.candidates,
    augmentation,
    evaluation: measured.evaluation,
    data,
    compared,
    advice,
    curves: fitted.curves,
    timings: {
      features_seconds: extracted.seconds,
      examples_per_second: extracted.perSecond,
      examples_cached: extracted.cached,
      head_seconds: progress.seconds('training'),
      total_seconds: progress.seconds(),
    },
    skipped,
    warnings: [...progress.warnings],
    created_at: new Date().toISOString(),
  };
}

/** The exact settings of the final fit. */
function settingsOf(run: Run, split: Parts, { fitted, top }: Trained): Report['settings'] {
  const { settings, hyperparameters, augmentation, seed } = run;
  return {
    ...fitted.settings,
    class_weights: hyperparameters.class_weights ?? 'auto',
    augmentation: augmentation ?? 'none',
    ...(trainsBackbone(settings) && {
      trainable: top ? settings.trainable : 'none',
      trainable_blocks: top?.cut.blocks ?? 0,
      weights: settings.weights ?? 'pretrained',
    }),
    seed,
    test_fraction: split.testFraction,
    validation_fraction: split.validationFraction,
    refit: settings.refit ?? 'train_validation',
    temperature: fitted.temperature,
  };
}
