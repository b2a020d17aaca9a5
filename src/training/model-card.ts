import type { BackboneCard } from '../schemas/backbones.js';
import type { Report } from '../schemas/report.js';
import { describeFindings } from './doctor/describe-findings.js';

/** The README of an artifact: what the model is, how good it is, how to run it. Markdown. */
export function modelCard(report: Report, labels: string[], backbone: BackboneCard): string {
  const { evaluation } = report;
  const percent = (value: number | null) => (value === null ? '–' : `${(value * 100).toFixed(1)} %`);
  const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
  const pixels =
    backbone.resize.mode === 'stretch'
      ? `stretch the photo to ${backbone.input.width} × ${backbone.input.height}`
      : `scale the short side to ${backbone.resize.short_side} pixels and take the centre ${backbone.input.width} × ${backbone.input.height}`;
  const findings = report.data ? describeFindings(report.data) : [];
  const tuned = report.settings.trainable === 'top';
  const lines = [
    `# ${report.model}`,
    '',
    `An image classifier for ${labels.length} classes: a ${String(report.settings.head)} head on the ${tuned ? `backbone \`${report.backbone.id}\`, whose top blocks (${report.settings.trainable_blocks}) were trained with it` : `frozen backbone \`${report.backbone.id}\``}. Trained by Graft on ${report.created_at.slice(0, 10)}.`,
    '',
    '## How good it is',
    evaluation
      ? `Accuracy ${percent(evaluation.accuracy)} on ${evaluation.examples} images that it was not trained on (${evaluation.on.replace('_', '-')}); mean recall ${percent(evaluation.balanced_accuracy)}; expected calibration error ${percent(evaluation.calibration.expected_error)}.`
      : 'Nothing could be held out, so its accuracy is not known.',
    '',
    '| class | precision | recall | held-out images | training images |',
    '|---|---|---|---|---|',
    ...(evaluation?.classes ?? []).map(
      (row) =>
        `| ${cell(row.label)} | ${percent(row.precision)} | ${percent(row.recall)} | ${row.support} | ${row.train_examples} |`,
    ),
    '',
    ...(findings.length > 0
      ? ['## What may be wrong with its data', ...findings.map((sentence) => `- ${cell(sentence)}`), '']
      : []),
    '## How to run it',
    `Input \`${backbone.input.name}\`: RGB pixels, uint8, \`[N, ${backbone.input.height}, ${backbone.input.width}, 3]\`. Apply the EXIF orientation, then ${pixels}. Nothing else: normalising is part of the network. Exactly the pixels of the API:`,
    '',
    '```js',
    "import { InferenceSession, Tensor } from 'onnxruntime-node';",
    "import sharp from 'sharp';",
    '',
    `const pixels = await ${pixelRecipe(backbone)};`,
    "const session = await InferenceSession.create('model.onnx');",
    `const input = new Tensor('uint8', pixels, [1, ${backbone.input.height}, ${backbone.input.width}, 3]);`,
    `const { probabilities } = await session.run({ ${backbone.input.name}: input });`,
    '```',
    '',
    '- `model.onnx` (download with `format=onnx`) goes from pixels to probabilities in any ONNX runtime.',
    `- \`head/model.json\` and \`head/weights.bin\` are a TensorFlow.js layers model from the backbone's ${report.backbone.dimensions} features to probabilities.`,
    ...(tuned
      ? [
          "- Those features come through the model's own top blocks: `top/weights.json` and `top/weights.bin` hold their weights, by the names in the backbone's graph.",
        ]
      : []),
    '- `labels.json` names the outputs in order.',
    '',
    '## Where it comes from',
    `Data set \`${report.dataset.id}\`: ${report.dataset.examples} images; archive SHA-256 \`${report.dataset.sha256}\`.`,
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

/** How `decodeImage` makes pixels, as an expression that anybody can run. */
function pixelRecipe({ input, resize }: BackboneCard): string {
  const { width, height } = input;
  const scaled =
    resize.mode === 'stretch'
      ? `.resize(${width}, ${height}, { fit: 'fill' })`
      : cropRecipe(resize.short_side, width, height);
  return `sharp('photo.jpg').autoOrient()${scaled}.flatten({ background: '#fff' }).toColourspace('srgb').raw().toBuffer()`;
}

function cropRecipe(side: number, width: number, height: number): string {
  const [outerWidth, outerHeight] = [Math.max(side, width), Math.max(side, height)];
  const [left, top] = [(outerWidth - width) >> 1, (outerHeight - height) >> 1];
  return `.resize(${outerWidth}, ${outerHeight}).extract({ left: ${left}, top: ${top}, width: ${width}, height: ${height} })`;
}
