/** One measured figure of a promise. `goal` is a bound or the value itself; `reached` says whether it was kept. */
export interface Figure {
  name: string;
  value: number;
  goal: number;
  unit?: string;
  reached: boolean;
}

export interface RowOptions {
  /** The whole row, minutes; otherwise its short form, seconds. */
  long: boolean;
  /** Makes the random choices of a row the same again. */
  seed: number;
  log: (line: string) => void;
}

/** What a module in this folder exports that tries one promise. An empty list: it cannot be tried here; the log says why. */
export interface Row {
  name: string;
  /** What has to hold, in words. */
  goal: string;
  run(options: RowOptions): Promise<Figure[]>;
}

export function atMost(name: string, value: number, goal: number, unit?: string): Figure {
  return { name, value: rounded(value), goal, ...(unit && { unit }), reached: value <= goal };
}

export function atLeast(name: string, value: number, goal: number, unit?: string): Figure {
  return { name, value: rounded(value), goal, ...(unit && { unit }), reached: value >= goal };
}

export function exactly(name: string, value: number, goal: number, unit?: string): Figure {
  return { name, value: rounded(value), goal, ...(unit && { unit }), reached: value === goal };
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}
