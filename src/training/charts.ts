import { parse, View } from 'vega';
import { compile, type TopLevelSpec } from 'vega-lite';
import { accuracyWords } from '../numbers/accuracy-words.js';
import type { Curve, Evaluation } from '../schemas/report.js';

/** Where the figures come from. */
const PARTS: Record<Evaluation['on'], (examples: number, noun: string) => string> = {
  test: (examples, noun) => `on ${examples} test ${noun}`,
  validation: (examples, noun) => `on ${examples} validation ${noun}`,
  cross_validation: (examples, noun) => `on ${examples} ${noun}, each by a fit that had not seen it (cross-validation)`,
};

/** Classes in a confusion chart; more cannot be read. */
const MAX_CLASSES = 40;
const CONFIG = {
  background: 'white',
  font: 'Helvetica, Arial, sans-serif',
  axis: { labelFontSize: 12, titleFontSize: 13, labelLimit: 160 },
  title: { fontSize: 15, anchor: 'start', offset: 12 },
  view: { stroke: null },
} as const;

/**
 * Loss and accuracy of the fit that was watched, as SVG. L-BFGS has no epochs: its lines show how one fit converged.
 * @param options noun: of many examples; optimizer: `lbfgs` or `adam`
 */
export function curvesSvg(curves: Curve[], { noun, optimizer }: { noun: string; optimizer: string }): Promise<string> {
  const isEpoch = optimizer !== 'lbfgs';
  const values = curves.flatMap((curve) => [
    { epoch: curve.epoch, part: 'training', loss: curve.train_loss, accuracy: curve.train_accuracy },
    ...(curve.validation_loss === null
      ? []
      : [
          {
            epoch: curve.epoch,
            part: 'validation',
            loss: curve.validation_loss,
            accuracy: curve.validation_accuracy,
          },
        ]),
  ]);
  const panel = (field: 'loss' | 'accuracy', title: string, format: string) => ({
    title,
    width: 340,
    height: 240,
    mark: { type: 'line' as const, point: curves.length < 30, strokeWidth: 2 },
    encoding: {
      x: {
        field: 'epoch',
        type: 'quantitative' as const,
        title: isEpoch ? 'epoch' : 'iteration of L-BFGS',
        axis: { tickMinStep: 1, grid: false },
      },
      y: { field, type: 'quantitative' as const, title: null, scale: { zero: false }, axis: { format } },
      color: {
        field: 'part',
        type: 'nominal' as const,
        title: noun,
        scale: { domain: ['training', 'validation'], range: ['#9aa5b1', '#1f6feb'] },
      },
    },
  });
  return toSvg({
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    title: isEpoch ? 'Training, epoch by epoch' : 'How the fit of the head converged (L-BFGS)',
    data: { values },
    hconcat: [panel('loss', 'Loss', '.2f'), panel('accuracy', 'Accuracy', '.0%')],
    config: CONFIG,
  });
}

/** The confusion matrix as SVG; of many classes those that are confused most. @param noun of many examples */
export function confusionSvg(evaluation: Evaluation, noun: string): Promise<string> {
  const { confusion, examples, on } = evaluation;
  const { labels, matrix } = confusion;
  const errors = labels.map((_, k) =>
    labels.reduce((sum, _label, j) => sum + (j === k ? 0 : matrix[k]![j]! + matrix[j]![k]!), 0),
  );
  const shown = [...labels.keys()]
    .sort((a, b) => errors[b]! - errors[a]!)
    .slice(0, MAX_CLASSES)
    .sort((a, b) => a - b);
  const values = shown.flatMap((row) => {
    const total = matrix[row]!.reduce((a, b) => a + b, 0);
    return shown.map((column) => ({
      truth: row,
      guess: column,
      examples: matrix[row]![column],
      share: total > 0 ? matrix[row]![column]! / total : 0,
    }));
  });
  const cell = Math.max(18, Math.min(52, 640 / shown.length));
  // Classes are numbers to Vega, and their names are read behind a `=`: it looks up values, and even the texts in its
  // expressions, in plain objects, and a label may be `constructor` or `__proto__`.
  const named = asciiJson(labels.map((label) => `=${label}`));
  const labelExpr = `slice(${named}[datum.value], 1)`;
  const some = shown.length < labels.length ? `, the ${shown.length} most confused of ${labels.length} classes` : '';
  return toSvg({
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    title: {
      text: `Accuracy ${accuracyWords(evaluation)}`,
      subtitle: `${PARTS[on](examples, noun)}${some}`,
    },
    data: { values },
    width: { step: cell },
    height: { step: cell },
    encoding: {
      x: { field: 'guess', type: 'ordinal', title: 'predicted', axis: { labelAngle: -40, labelExpr } },
      y: { field: 'truth', type: 'ordinal', title: 'true class', axis: { labelExpr } },
    },
    layer: [
      {
        mark: { type: 'rect', stroke: '#e5e7eb' },
        encoding: {
          color: {
            field: 'share',
            type: 'quantitative',
            legend: null,
            scale: { domain: [0, 1], range: ['#ffffff', '#1f6feb'] },
          },
        },
      },
      {
        transform: [{ filter: 'datum.examples > 0' }],
        mark: { type: 'text', fontSize: Math.min(13, cell / 2.2) },
        encoding: {
          text: { field: 'examples', type: 'quantitative' },
          color: { condition: { test: 'datum.share > 0.55', value: 'white' }, value: '#1f2937' },
        },
      },
    ],
    config: CONFIG,
  });
}

/** JSON in ASCII: Vega's expressions end a line at U+2028, even within a string. */
function asciiJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[^\x20-\x7e]/g,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

async function toSvg(spec: TopLevelSpec): Promise<string> {
  const view = new View(parse(compile(spec).spec), { renderer: 'none' });
  try {
    return await view.toSVG();
  } finally {
    view.finalize();
  }
}
