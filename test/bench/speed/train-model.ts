import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { submit, upload } from '../../helpers/photos.js';
import { SHARED } from '../../helpers/shared.js';
import type { BenchService } from './service.js';

/** Photos of a shared data set, `label/file.jpg`. */
export function labelledPhotos(...path: string[]): { name: string; bytes: Buffer }[] {
  const folder = join(SHARED, 'datasets', ...path);
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
  return files
    .filter((name) => /\.jpe?g$/i.test(name))
    .map((name) => ({ name, bytes: readFileSync(join(folder, name)) }));
}

/** A model of ten kinds of clothing, trained on a few hundred photos. @returns its name */
export async function trainModel(service: BenchService): Promise<string> {
  const dataset = await upload(service, labelledPhotos('clothing', 'validation'));
  const model = 'clothing';
  const { id } = await submit(service, { dataset: dataset.id, model });
  const job = await service.ended(id);
  if (job.status !== 'succeeded') throw new Error(`The model to serve was not trained: ${JSON.stringify(job.error)}`);
  return model;
}
