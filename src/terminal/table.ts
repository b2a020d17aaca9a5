import { cut } from './format.js';
import type { Screen } from './screen.js';

export interface Column {
  title: string;
  align?: 'left' | 'right';
  /** Longer cells are cut. */
  maxWidth?: number;
}

/** Print a table: the titles, then the rows. Cells are plain text; `decorate` may colour a padded one. */
export function printTable(
  { line, paint }: Screen,
  columns: Column[],
  rows: string[][],
  decorate: (cell: string, row: number, column: number) => string = (cell) => cell,
): void {
  const fit = (text: string, column: number) => cut(text, columns[column]!.maxWidth ?? 80);
  const cells = rows.map((row) => row.map(fit));
  const widths = columns.map(({ title }, c) => Math.max(length(title), ...cells.map((row) => length(row[c]!))));
  const pad = (text: string, c: number) => {
    const space = ' '.repeat(widths[c]! - length(text));
    return columns[c]!.align === 'right' ? space + text : text + space;
  };
  line(paint.dim(`  ${columns.map(({ title }, c) => pad(title, c)).join('  ')}`.trimEnd()));
  cells.forEach((row, r) => {
    line(`  ${row.map((cell, c) => decorate(pad(cell, c), r, c)).join('  ')}`.trimEnd());
  });
}

function length(text: string): number {
  return [...text].length;
}
