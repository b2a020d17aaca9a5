import type { CutBackbone } from '../backbones/backbones.js';
import type { TopWeights } from './weights.js';

interface Waiting {
  row: Float32Array;
  resolve: (features: Float32Array) => void;
  reject: (error: unknown) => void;
}

/** Images in one pass of a top. */
const MAX_TOGETHER = 16;

/**
 * The second half of a prediction: images of one model that left the trunk together go through the model's top together.
 */
export class TopQueue {
  readonly #split: CutBackbone;
  readonly #waiting = new Map<string, { top: TopWeights; images: Waiting[] }>();

  constructor(options: { split: CutBackbone }) {
    this.#split = options.split;
  }

  /** @param row what the trunk answered for one image, `[T]` */
  run(top: TopWeights, row: Float32Array): Promise<Float32Array> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.size === 0) setImmediate(() => this.#run());
      const group = this.#waiting.get(top.key);
      if (group) group.images.push({ row, resolve, reject });
      else this.#waiting.set(top.key, { top, images: [{ row, resolve, reject }] });
    });
  }

  #run(): void {
    const groups = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { top, images } of groups) {
      for (let start = 0; start < images.length; start += MAX_TOGETHER) {
        void this.#pass(top, images.slice(start, start + MAX_TOGETHER));
      }
    }
  }

  async #pass(top: TopWeights, images: Waiting[]): Promise<void> {
    try {
      const T = images[0]!.row.length;
      const rows = new Float32Array(images.length * T);
      for (const [i, { row }] of images.entries()) rows.set(row, i * T);
      const features = await this.#split.runTop(top, rows, images.length);
      const D = features.length / images.length;
      for (const [i, { resolve }] of images.entries()) resolve(features.subarray(i * D, (i + 1) * D));
    } catch (error) {
      for (const { reject } of images) reject(error);
    }
  }
}
