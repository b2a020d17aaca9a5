import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DRAWN_KINDS } from '../drawing/draw-photo.js';
import { drawnPhoto, PER_KIND } from '../drawing/drawn-photos.js';
import type { ChosenPhoto } from './choose-photos.js';

const UNSEEN_PER_CLASS = 2;

export interface DrawDataSetOptions {
  /** `photos/<label>/` and `unseen/` are made anew in it. */
  folder: string;
  onProgress: (done: number, total: number) => void;
  signal: AbortSignal;
}

/** Draw photos of four kinds of things, the same every time, and two more of each that no model gets to see. */
export async function drawDataSet(options: DrawDataSetOptions): Promise<{ photos: string; unseen: ChosenPhoto[] }> {
  const { folder, onProgress, signal } = options;
  const photos = join(folder, 'photos');
  const others = join(folder, 'unseen');
  for (const made of [photos, others]) await rm(made, { recursive: true, force: true });
  await mkdir(others, { recursive: true });
  const unseen: ChosenPhoto[] = [];
  const total = DRAWN_KINDS.length * (PER_KIND + UNSEEN_PER_CLASS);
  let done = 0;
  for (const label of DRAWN_KINDS) {
    await mkdir(join(photos, label), { recursive: true });
    for (let n = 1; n <= PER_KIND + UNSEEN_PER_CLASS; n += 1) {
      signal.throwIfAborted();
      const path = n <= PER_KIND ? join(photos, label, `${n}.jpg`) : join(others, `${label}-${n - PER_KIND}.jpg`);
      await writeFile(path, await drawnPhoto(label, n));
      if (n > PER_KIND) unseen.push({ name: `${label}-${n - PER_KIND}.jpg`, label, bytes: await readFile(path) });
      onProgress(++done, total);
    }
  }
  return { photos, unseen };
}
