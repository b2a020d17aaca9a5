import type { HeldOutPrediction } from '../schemas/predictions.js';
import type { DataFindings, Evaluation, Report } from '../schemas/report.js';
import { accuracyWords } from '../numbers/accuracy-words.js';
import { bar } from '../terminal/bar.js';
import { cut, formatCount, formatPercent, plural, wrap } from '../terminal/format.js';
import type { Screen } from '../terminal/screen.js';
import { printTable } from '../terminal/table.js';
import type { DemoWords } from './words.js';

const MAX_CLASSES = 15;
const MAX_CONFUSIONS = 8;
const MAX_MISTAKES = 3;
/** Longest line of a sentence. */
const TEXT_WIDTH = 100;

/** Classes that a matrix in 80 columns still shows, and the least width of a column. */
const MATRIX_CLASSES = 10;
const MIN_CELL = 6;

const CORNER = 'is ╲ taken for';

const SOURCES: Record<Evaluation['on'], string> = {
  test: 'that it was never shown',
  validation: 'of the validation part',
  cross_validation: 'by cross-validation',
};

/** Accuracy, figures per class, and what is taken for what. */
export function showReport(
  screen: Screen,
  { evaluation, warnings, data, advice = [] }: Report,
  words: DemoWords,
): void {
  const { paint } = screen;
  if (!evaluation) {
    screen.line(`  No ${words.many} were held out, so nobody knows how good it is.`);
  } else {
    const { examples: images, on } = evaluation;
    const [accuracy, ...sure] = accuracyWords(evaluation).split(' (');
    screen.line(
      `  Accuracy ${paint.bold(paint.green(accuracy!))} on ${plural(images, words.one, words.many)} ${SOURCES[on]}`,
    );
    if (sure.length > 0) screen.line(paint.dim(`  ${sure.join(' (').slice(0, -1)}`));
    screen.line();
    showClasses(screen, evaluation, words);
    screen.line();
    if (evaluation.confusion.labels.length <= MATRIX_CLASSES) showMatrix(screen, evaluation);
    else showConfusions(screen, evaluation);
  }
  for (const warning of warnings) for (const line of wrap(warning, TEXT_WIDTH)) screen.line(`  ${paint.yellow(line)}`);
  if (data) showFindings(screen, data, words);
  if (advice.length > 0) screen.line('\n  What would help most');
  for (const { sentence } of advice) {
    for (const [i, line] of wrap(sentence, TEXT_WIDTH).entries()) {
      screen.line(paint.dim(`  ${i === 0 ? '·' : ' '} ${line}`));
    }
  }
}

/** The held-out examples that it was surest of, and wrong about. */
export function showMistakes({ line, paint }: Screen, mistakes: HeldOutPrediction[]): void {
  const surest = [...mistakes].sort((a, b) => b.scores[0]!.score - a.scores[0]!.score).slice(0, MAX_MISTAKES);
  if (surest.length === 0) return;
  line();
  line(paint.dim('  surest mistakes'));
  for (const { name, labels, predicted, scores } of surest) {
    const said = `${cut(predicted, 20)} (${formatPercent(scores[0]!.score)})`;
    line(`  ${cut(name, 40)}: ${cut(labels.join(', '), 20)}, taken for ${paint.yellow(said)}`);
  }
}

/** How much of each kind was found in the data; the report names the examples. */
function showFindings({ line, paint }: Screen, data: DataFindings, { one: noun }: DemoWords): void {
  const { label_errors, near_duplicates, small_classes, confusable_classes, outliers, odd_examples } = data;
  const found = [
    [label_errors.total, 'label to look at', 'labels to look at'],
    [near_duplicates.total, `repeated ${noun}`],
    [small_classes.total, 'small class', 'small classes'],
    [confusable_classes.total, 'confusable pair'],
    [outliers.total, 'outlier'],
    [odd_examples.total, `odd ${noun}`],
  ] as const;
  const words = found.filter(([total]) => total > 0).map(([total, one, many]) => plural(total, one, many));
  line();
  line(words.length === 0 ? '  Nothing wrong was found with the data.' : `  In the data: ${words.join(', ')}`);
  const [first] = label_errors.items;
  if (first)
    line(paint.dim(`  such as ${cut(first.name, 48)}: ${cut(first.label, 20)}, or ${cut(first.suggested, 20)}?`));
}

function showClasses(screen: Screen, { classes }: Evaluation, { many }: DemoWords): void {
  const { line, paint } = screen;
  const worstFirst = [...classes].sort((a, b) => (a.f1 ?? 2) - (b.f1 ?? 2));
  const shown = classes.length <= MAX_CLASSES ? classes : worstFirst.slice(0, MAX_CLASSES);
  printTable(
    screen,
    [
      { title: 'class', maxWidth: 24 },
      { title: many, align: 'right' },
      { title: 'precision', align: 'right' },
      { title: 'recall', align: 'right' },
      { title: 'F1', align: 'right' },
      { title: '' },
    ],
    shown.map(({ label, support, precision, recall, f1 }) => [
      label,
      formatCount(support),
      ...[precision, recall, f1].map(formatPercent),
      bar(f1 ?? 0, 16).trimEnd(),
    ]),
    (cell, row, column) => (column === 5 ? ((shown[row]!.f1 ?? 0) < 0.6 ? paint.yellow : paint.green)(cell) : cell),
  );
  if (shown.length < classes.length) line(paint.dim(`  the ${shown.length} weakest of ${classes.length} classes`));
}

/** Rows are what is in the photo, columns what the model said. */
function showMatrix({ line, paint, width }: Screen, { confusion: { labels, matrix } }: Evaluation): void {
  const longest = Math.max(...labels.map((label) => [...label].length));
  const first = Math.min(16, Math.max(longest, CORNER.length));
  const cell = Math.max(MIN_CELL, Math.min(longest + 2, Math.floor((width - 2 - first) / labels.length)));
  const heads = labels.map((label) => cut(label, cell - 1).padStart(cell));
  line(paint.dim(`  ${CORNER.padEnd(first)}${heads.join('')}`));
  matrix.forEach((row, truth) => {
    const cells = row.map((count, said) => {
      const text = (count === 0 ? '·' : formatCount(count)).padStart(cell);
      return (count === 0 ? paint.dim : truth === said ? paint.green : paint.yellow)(text);
    });
    line(`  ${cut(labels[truth]!, first).padEnd(first)}${cells.join('')}`);
  });
}

function showConfusions({ line, paint }: Screen, { confusion: { labels, matrix } }: Evaluation): void {
  const pairs = matrix
    .flatMap((row, truth) => row.map((count, said) => ({ truth, said, count })))
    .filter(({ truth, said, count }) => truth !== said && count > 0)
    .sort((a, b) => b.count - a.count)
    .slice(0, MAX_CONFUSIONS);
  line(pairs.length === 0 ? '  Nothing was taken for anything else.' : paint.dim('  most often taken for another'));
  for (const { truth, said, count } of pairs) {
    line(`  ${formatCount(count).padStart(4)} × ${cut(labels[truth]!, 28)} → ${paint.yellow(cut(labels[said]!, 28))}`);
  }
}
