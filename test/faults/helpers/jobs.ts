import type { Dataset } from '../../../src/schemas/datasets.js';
import type { JobSettings } from '../../../src/schemas/jobs.js';
import { photos, upload } from '../../helpers/photos.js';
import type { Fleet } from './fleet.js';

/** A job that takes a fraction of a second once its features are there. */
export const QUICK = {
  head: 'linear',
  hyperparameters: { weight_decay: 0.01, epochs: 5 },
} satisfies Partial<JobSettings>;

let variation = 0;

/** Settings that make a job read features of variations nobody has asked for before: six times its images. */
export function slow(): Partial<JobSettings> {
  variation += 1;
  const augmentation = { copies: 5, rotation: 1 + (variation % 170), zoom: 0.1 + (variation % 13) / 20 };
  return { ...QUICK, hyperparameters: { ...QUICK.hyperparameters, augmentation } };
}

/** A data set of two classes of drawn photos. */
export async function smallDataset(fleet: Pick<Fleet, 'json'>, perClass: number, seed = 0): Promise<Dataset> {
  return upload(fleet, await photos(['left', 'right'], perClass, { seed }));
}
