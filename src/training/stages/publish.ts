import { createHash } from 'node:crypto';
import { AppError } from '../../errors.js';
import { bytesPerExemplar, writeExemplars } from '../../heads/exemplars.js';
import { folded } from '../../heads/head.js';
import { type ServedHead, writeHead } from '../../heads/served-head.js';
import { sparseHead } from '../../heads/sparse-head.js';
import { onlySparse } from '../../numbers/features.js';
import type { Report } from '../../schemas/report.js';
import type { VersionManifest } from '../../schemas/versions.js';
import { chooseExemplars } from '../choose-exemplars.js';
import { HELD_OUT_FILE, writeHeldOut } from '../held-out.js';
import { modelCard } from '../model-card.js';
import type { ExtractedExamples, Measured, Networks, Run, Trained } from '../run.js';

type Files = Map<string, Uint8Array | string>;

/**
 * Write the files of the version and publish it.
 * @throws AppError `training_diverged`, or what the registry throws
 */
export async function publish(
  run: Run,
  { backbone }: Networks,
  extracted: ExtractedExamples,
  trained: Trained,
  { answers }: Measured,
  report: Report,
): Promise<VersionManifest> {
  const { tenant, job, settings, labels, dataset, registry, progress } = run;
  const { fitted, top } = trained;
  const head = await writeHead(headOf(extracted, trained));
  const files: Files = new Map<string, Uint8Array | string>([
    ['README.md', modelCard({ report, labels, backbone: backbone.card, modality: run.modality })],
    ['labels.json', JSON.stringify(labels)],
    ...head,
    ['report.json', JSON.stringify(report)],
    // A trained top makes other features than those at hand: such a version remembers no examples.
    ...(top ? [] : exemplarsOf(run, extracted, trained)),
    ...heldOutOf(answers, labels, extracted),
    ...(await chartsOf(report, run.modality.words.many)),
    ...(top ? topFiles(top.files) : []),
  ]);
  progress.phase('publishing', 'Publishing the version');
  return registry.publish({
    tenant,
    job,
    model: settings.model,
    files,
    manifest: {
      model: settings.model,
      job,
      dataset: dataset.manifest.id,
      backbone: report.backbone,
      modality: run.modality.id,
      head: fitted.kind,
      ...(top && { top: top.cut }),
      labels,
      ...accuracyOf(report),
      description: settings.description ?? null,
      digest: digestOf(labels, backbone.card.sha256, head, top),
    },
  });
}

function accuracyOf({
  evaluation,
}: Report): Pick<VersionManifest, 'accuracy' | 'accuracy_interval' | 'baseline_accuracy'> {
  if (!evaluation) return { accuracy: null };
  const { accuracy, accuracy_interval, baseline_accuracy } = evaluation;
  return {
    accuracy,
    ...(accuracy_interval && { accuracy_interval }),
    ...(baseline_accuracy !== undefined && { baseline_accuracy }),
  };
}

/** The head as it is served: takes features as the backbone answers them. @throws AppError `training_diverged` */
function headOf({ samples }: ExtractedExamples, { fitted, standard, fittedOn }: Trained): ServedHead {
  const { layers, temperature } = fitted;
  if (layers.every(({ kernel, bias }) => kernel.every(Number.isFinite) && bias.every(Number.isFinite))) {
    if (standard.kind === 'dense') return folded({ layers }, { ...standard, temperature });
    const features = onlySparse(samples.features);
    return sparseHead({ layer: layers[0]!, standard, features, rows: fittedOn, temperature });
  }
  throw new AppError('training_diverged', 'The training diverged: weights became infinite. Lower learning_rate.');
}

/** Of everything that answers depend on: equal digests, equal models. */
function digestOf(
  labels: string[],
  backbone: string,
  head: [string, Uint8Array | string][],
  top: Trained['top'],
): string {
  return createHash('sha256')
    .update(JSON.stringify({ labels, backbone, model: head[0]![1] }))
    .update(head[1]![1])
    .update(top ? JSON.stringify(top.cut) : '')
    .update(top?.files.weights ?? '')
    .digest('hex');
}

function exemplarsOf(
  run: Run,
  { examples, samples }: ExtractedExamples,
  trained: Trained,
): [string, Uint8Array | string][] {
  const { fittedOn, standard } = trained;
  const remembered = chooseExemplars(fittedOn, samples.y, bytesPerExemplar(samples.features), run.seed);
  const exemplars = writeExemplars({
    examples: remembered.map((example) => {
      const { sha256, name, label } = examples[example]!;
      return { sha256, name, label };
    }),
    rows: remembered,
    of: fittedOn.length,
    features: samples.features,
    standard,
  });
  return [
    ['exemplars/features.bin', exemplars.features],
    ['exemplars/examples.json', exemplars.examples],
  ];
}

function heldOutOf(
  answers: Measured['answers'],
  labels: string[],
  { examples }: ExtractedExamples,
): [string, string][] {
  return answers ? [[HELD_OUT_FILE, writeHeldOut(answers, labels, examples)]] : [];
}

async function chartsOf({ curves, evaluation, settings }: Report, noun: string): Promise<[string, string][]> {
  const { confusionSvg, curvesSvg } = await import('../charts.js');
  return [
    ...(curves.length > 0
      ? [
          ['report/curves.svg', await curvesSvg(curves, { noun, optimizer: String(settings.optimizer) })] as [
            string,
            string,
          ],
        ]
      : []),
    ...(evaluation ? [['report/confusion.svg', await confusionSvg(evaluation, noun)] as [string, string]] : []),
  ];
}

function topFiles(files: { index: string; weights: Uint8Array }): [string, Uint8Array | string][] {
  return [
    ['top/weights.json', files.index],
    ['top/weights.bin', files.weights],
  ];
}
