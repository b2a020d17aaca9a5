import type { Row } from './table.js';

/** Rounds of everything that is compared; they alternate, so that a slow minute of the machine meets all alike. */
export const ROUNDS = 5;

export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Median and range, for a row. */
export function summary(values: number[]): Pick<Row, 'value' | 'spread'> {
  return { value: median(values), spread: { least: Math.min(...values), most: Math.max(...values) } };
}

/** Round by round, so that what slows both does not count. */
export function ratios(ours: number[], theirs: number[]): number[] {
  return ours.map((value, round) => value / theirs[round]!);
}

/** The value below which `share` of them lie. */
export function quantile(values: ArrayLike<number>, share: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}
