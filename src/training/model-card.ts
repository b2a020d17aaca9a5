import type { Modality } from '../backbones/modality.js';
import type { BackboneCard } from '../schemas/backbones.js';
import type { Report } from '../schemas/report.js';
import { accuracyWords } from '../numbers/accuracy-words.js';
import { describeFindings } from './doctor/describe-findings.js';

/** The README of an artifact: what the model is, how good it is, how to run it. Markdown. */
export function modelCard(options: {
  report: Report;
  labels: string[];
  backbone: BackboneCard;
  modality: Pick<Modality, 'words' | 'usage'>;
}): string {
  const { report, labels, backbone, modality } = options;
  const { many } = modality.words;
  const { evaluation } = report;
  const percent = (value: number | null) => (value === null ? '–' : `${(value * 100).toFixed(1)} %`);
  const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
  const findings = report.data ? describeFindings(report.data, modality.words) : [];
  const { trainable } = report.settings;
  const tuned = trainable === 'top' || trainable === 'all';
  const trained =
    trainable === 'all'
      ? 'all of whose layers were trained with it'
      : `whose top blocks (${report.settings.trainable_blocks}) were trained with it`;
  const lines = [
    `# ${report.model}`,
    '',
    `A classifier of ${many} for ${labels.length} classes: a ${String(report.settings.head)} head on the ${tuned ? `backbone \`${report.backbone.id}\`, ${trained}` : `frozen backbone \`${report.backbone.id}\``}. Trained by Graft on ${report.created_at.slice(0, 10)}.`,
    '',
    '## How good it is',
    evaluation
      ? `Accuracy ${accuracyWords(evaluation)} on ${evaluation.examples} ${many} that it was not trained on (${evaluation.on.replace('_', '-')}); mean recall ${percent(evaluation.balanced_accuracy)}; expected calibration error ${percent(evaluation.calibration.expected_error)}.`
      : 'Nothing could be held out, so its accuracy is not known.',
    '',
    `| class | precision | recall | held-out ${many} | training ${many} |`,
    '|---|---|---|---|---|',
    ...(evaluation?.classes ?? []).map(
      (row) =>
        `| ${cell(row.label)} | ${percent(row.precision)} | ${percent(row.recall)} | ${row.support} | ${row.train_examples} |`,
    ),
    '',
    ...(findings.length > 0
      ? ['## What may be wrong with its data', ...findings.map((sentence) => `- ${cell(sentence)}`), '']
      : []),
    ...(report.advice?.length
      ? ['## What would help most', ...report.advice.map(({ sentence }) => `- ${cell(sentence)}`), '']
      : []),
    '## How to run it',
    ...modality.usage(backbone),
    backbone.features.kind === 'sparse'
      ? `- \`head/sparse.json\` and \`head/sparse.bin\` are the linear layer from the backbone's ${report.backbone.dimensions} sparse features to probabilities: of the columns that training used, two bytes a weight.`
      : `- \`head/model.json\` and \`head/weights.bin\` are a TensorFlow.js layers model from the backbone's ${report.backbone.dimensions} features to probabilities.`,
    ...(tuned
      ? [
          "- Those features come through the model's own layers: `top/weights.json` and `top/weights.bin` hold their weights, by the names in the backbone's graph.",
        ]
      : []),
    '- `labels.json` names the outputs in order.',
    '',
    '## Where it comes from',
    `Data set \`${report.dataset.id}\`: ${report.dataset.examples} ${many}; archive SHA-256 \`${report.dataset.sha256}\`.`,
    `Backbone \`${backbone.id}\`: ${backbone.name}; license ${backbone.license}; ${backbone.source}; SHA-256 \`${backbone.sha256}\`.`,
    `Engines: ${report.engines.backbone}; ${report.engines.head}.`,
    '',
    '```json',
    JSON.stringify(report.settings, null, 2),
    '```',
    ...(report.warnings.length > 0 ? ['', '## Mind', ...report.warnings.map((warning) => `- ${warning}`)] : []),
    '',
  ];
  return lines.join('\n');
}
