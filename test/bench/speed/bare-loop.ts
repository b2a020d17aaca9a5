import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { EmbeddedBackbones } from '../../../src/backbones/embedded.js';
import { decodeImage } from '../../../src/backbones/image/pixels.js';
import type { ImageBackboneCard } from '../../../src/schemas/backbones.js';

const WARM_MS = 300;

/** How the cores are shared out: sessions, threads of each, images in one pass, images decoded at once. */
export interface Layout {
  sessions: number;
  threads: number;
  batch: number;
  decoders: number;
}

/** Layouts worth comparing on this machine; the best of them is the limit. */
export function layouts(): Layout[] {
  const cores = availableParallelism();
  return [
    { sessions: 1, threads: cores, batch: 4, decoders: cores },
    { sessions: cores, threads: 1, batch: 1, decoders: cores },
    { sessions: cores, threads: 1, batch: 4, decoders: cores },
  ];
}

export function layoutName({ sessions, threads, batch }: Layout): string {
  return `${sessions} session${sessions > 1 ? 's' : ''} of ${threads} thread${threads > 1 ? 's' : ''}, batches of ${batch}`;
}

/** The limit of the machine: the same photos decoded (sharp) and pooled through the backbone (ONNX Runtime), no more. */
export class BareLoop {
  readonly layout: Layout;
  readonly #workers: Worker[];
  readonly #card: ImageBackboneCard;
  readonly #photos: Buffer[];

  private constructor(layout: Layout, workers: Worker[], card: ImageBackboneCard, photos: Buffer[]) {
    this.layout = layout;
    this.#workers = workers;
    this.#card = card;
    this.#photos = photos;
  }

  static async start(options: { models: string; backbone: string; photos: string[]; layout: Layout }) {
    const { models, backbone, layout } = options;
    const card = (await new EmbeddedBackbones({ folder: models }).card(backbone)) as ImageBackboneCard;
    const { width, height } = card.input;
    const workerData = { file: join(models, backbone, card.file), threads: layout.threads, width, height };
    const workers = await Promise.all(
      Array.from({ length: layout.sessions }, async () => {
        const worker = new Worker(new URL('./bare-loop-thread.js', import.meta.url), { workerData });
        await once(worker, 'message');
        return worker;
      }),
    );
    const photos = options.photos.map((path) => readFileSync(path));
    return new BareLoop(layout, workers, card, photos);
  }

  /** Images per second. */
  async run(seconds: number): Promise<number> {
    const { batch, decoders, sessions } = this.layout;
    const { width, height } = this.#card.input;
    const ahead = sessions * batch + decoders;
    const began = performance.now() + WARM_MS; // as the load client counts
    const end = began + seconds * 1000;
    const ready: Uint8Array[] = [];
    let waiting: (() => void)[] = [];
    let [next, done] = [0, 0];
    const changed = () => new Promise<void>((resolve) => waiting.push(resolve));
    const tell = () => {
      const told = waiting;
      waiting = [];
      for (const wake of told) wake();
    };
    const isOver = () => performance.now() >= end;
    const decode = async () => {
      while (!isOver()) {
        if (ready.length >= ahead) {
          await changed();
          continue;
        }
        const photo = this.#photos[next++ % this.#photos.length]!;
        ready.push(await decodeImage(photo, this.#card, { maxPixels: 50_000_000 }));
        tell();
      }
    };
    const embed = async (worker: Worker) => {
      while (!isOver()) {
        if (ready.length === 0) {
          await changed();
          continue;
        }
        const images = ready.splice(0, batch);
        tell();
        const pixels = new Uint8Array(images.length * width * height * 3);
        for (const [i, image] of images.entries()) pixels.set(image, i * width * height * 3);
        worker.postMessage({ pixels, count: images.length });
        await once(worker, 'message');
        if (performance.now() >= began && !isOver()) done += images.length;
      }
      tell();
    };
    await Promise.all([...Array.from({ length: decoders }, decode), ...this.#workers.map(embed)]);
    return done / seconds;
  }

  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }
}
