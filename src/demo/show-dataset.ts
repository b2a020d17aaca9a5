import type { Dataset } from '../schemas/datasets.js';
import { bar } from '../terminal/bar.js';
import { cut, formatCount, plural } from '../terminal/format.js';
import type { Screen } from '../terminal/screen.js';
import { printTable } from '../terminal/table.js';
import { wordsOf } from './words.js';

const MAX_CLASSES = 15;
const MAX_FILES = 5;

const LAYOUTS: Record<Dataset['layout']['kind'], string> = {
  class_folders: 'a folder per class',
  split_folders: 'folders per split and class',
  labels_file: 'labels from a file',
  names: 'labels in names',
  text_table: 'rows of a table',
};

/** What the service understood of an upload: classes, splits, and every kind of file that it did not take. */
export function showDataset(screen: Screen, dataset: Dataset): void {
  const { paint } = screen;
  const { one, many } = wordsOf(dataset);
  screen.line(
    `  ${plural(dataset.examples, one, many)} in ${plural(dataset.class_count, 'class', 'classes')}, ${LAYOUTS[dataset.layout.kind]}`,
  );
  screen.line();
  const most = Math.max(...dataset.classes.map(({ examples: images }) => images));
  const shown = dataset.classes.slice(0, MAX_CLASSES);
  printTable(
    screen,
    [
      { title: 'class', maxWidth: 24 },
      { title: many, align: 'right' },
      ...(dataset.splits ? [{ title: 'train' }, { title: 'val' }, { title: 'test' }] : []).map((column) => ({
        ...column,
        align: 'right' as const,
      })),
      { title: '' },
    ],
    shown.map(({ label, examples: images, splits }) => [
      label,
      formatCount(images),
      ...(dataset.splits ? [splits?.train, splits?.validation, splits?.test].map((n) => formatCount(n ?? 0)) : []),
      bar(images / most, 20).trimEnd(),
    ]),
    (cell, _row, column) => (column === (dataset.splits ? 5 : 2) ? paint.cyan(cell) : cell),
  );
  if (dataset.classes.length > shown.length) {
    screen.line(paint.dim(`  … and ${plural(dataset.classes.length - shown.length, 'more class', 'more classes')}`));
  }
  screen.line();
  showFiles(
    screen,
    'refused',
    dataset.refused_count,
    dataset.refused.map(({ name, reason }) => `${name}: ${reason}`),
  );
  showFiles(
    screen,
    'found twice',
    dataset.duplicate_count,
    dataset.duplicates.map(
      ({ name, same_as, kind }) =>
        `${name} is ${same_as}${kind === 'other_label' ? ', under another label: look at them' : ''}`,
    ),
  );
  for (const warning of dataset.warnings) screen.line(`  ${paint.yellow(warning)}`);
}

function showFiles(screen: Screen, what: string, count: number, sentences: string[]): void {
  screen.line(count === 0 ? `  No file ${what}` : `  ${screen.paint.yellow(`${plural(count, 'file')} ${what}`)}`);
  for (const sentence of sentences.slice(0, MAX_FILES)) screen.line(`    ${cut(sentence, screen.width - 4)}`);
  if (sentences.length > MAX_FILES) screen.line(screen.paint.dim(`    … and ${sentences.length - MAX_FILES} more`));
}
