import type { LoadClient } from './load.js';
import type { Row } from './table.js';

export interface BenchContext {
  /** Folder of the backbones. */
  models: string;
  client: LoadClient;
  /** Interleaved rounds of each comparison. */
  rounds: number;
  /** Progress and what is left out, in a sentence. */
  say(sentence: string): void;
}

/** One part of the bench, runnable alone. */
export interface Section {
  name: string;
  run(context: BenchContext): Promise<Row[]>;
}
