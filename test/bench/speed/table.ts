/** One line of the bench's table. */
export interface Row {
  /** What is measured, in the words of docs/performance.md. */
  name: string;
  /** Median of the rounds; a ratio wherever there is something to compare with. */
  value: number;
  unit: '×' | 'ms' | 's' | 'KB' | '%' | '/s' | 'MB' | 'points' | '';
  /** Least and most of the rounds. */
  spread?: { least: number; most: number };
  /** What is to be reached; none for a line that only informs. */
  goal?: { atLeast: number } | { atMost: number };
  /** How it was measured, where that is not plain. */
  note?: string;
}

export interface Figure {
  name: string;
  value: number;
  goal: number;
  reached: boolean;
}

/** The lines that have a goal, for `--json`. */
export function figuresOf(rows: Row[]): Figure[] {
  return rows.flatMap((row) => {
    const { name, value, goal } = row;
    return goal ? [{ name, value, goal: 'atLeast' in goal ? goal.atLeast : goal.atMost, reached: isReached(row) }] : [];
  });
}

/** In Markdown. */
export function printed(rows: Row[]): string {
  const lines = rows.map((row) => {
    const { name, value, unit, spread, goal, note } = row;
    const range = spread ? `${shown(spread.least)} – ${shown(spread.most)}` : '';
    const bound = goal ? ('atLeast' in goal ? `≥ ${goal.atLeast}` : `≤ ${goal.atMost}`) : '';
    const verdict = goal ? (isReached(row) ? 'yes' : 'no') : '';
    return `| ${name} | ${shown(value)}${unit === '' ? '' : ` ${unit}`} | ${range} | ${bound} | ${verdict} | ${note ?? ''} |`;
  });
  return ['| figure | value | spread | goal | reached | how |', '|---|---|---|---|---|---|', ...lines].join('\n');
}

function isReached({ value, goal }: Row): boolean {
  if (!goal || !Number.isFinite(value)) return false;
  return 'atLeast' in goal ? value >= goal.atLeast : value <= goal.atMost;
}

function shown(value: number): string {
  if (!Number.isFinite(value)) return '–';
  return value.toLocaleString('en-US', { maximumSignificantDigits: 3, useGrouping: true });
}
