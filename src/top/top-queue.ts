import type { Trunk } from '../backbones/trunk.js';
import type { TopWeights } from './weights.js';

interface Waiting {
  row: Float32Array;
  resolve: (features: Float32Array) => void;
  reject: (error: unknown) => void;
}

/** Examples in one pass of a top. */
const MAX_TOGETHER = 16;

/**
 * The second half of a prediction: examples of one model that left the trunk together go through the model's top together.
 */
export class TopQueue {
  readonly trunk: Trunk;
  readonly #top: TopWeights;
  #waiting: Waiting[] = [];

  constructor(options: { trunk: Trunk; top: TopWeights }) {
    this.trunk = options.trunk;
    this.#top = options.top;
  }

  /** @param row what the trunk answered for one example, `[T]` */
  run(row: Float32Array): Promise<Float32Array> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.length === 0) setImmediate(() => this.#run());
      this.#waiting.push({ row, resolve, reject });
    });
  }

  #run(): void {
    const examples = this.#waiting;
    this.#waiting = [];
    for (let start = 0; start < examples.length; start += MAX_TOGETHER) {
      void this.#pass(examples.slice(start, start + MAX_TOGETHER));
    }
  }

  async #pass(examples: Waiting[]): Promise<void> {
    try {
      const T = examples[0]!.row.length;
      const rows = new Float32Array(examples.length * T);
      for (const [i, { row }] of examples.entries()) rows.set(row, i * T);
      const features = await this.trunk.runTop(this.#top, rows, examples.length);
      const D = features.length / examples.length;
      for (const [i, { resolve }] of examples.entries()) resolve(features.subarray(i * D, (i + 1) * D));
    } catch (error) {
      for (const { reject } of examples) reject(error);
    }
  }
}
