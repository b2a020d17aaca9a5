import type { BackboneSource } from '../backbones/source.js';
import { isNotFound } from '../backbones/source.js';
import type { JobKindRules } from '../jobs/job-worker.js';
import type { BackboneCard } from '../schemas/backbones.js';
import type { JobOutput, PullInput } from '../schemas/jobs.js';

/** What a worker must know of jobs of kind `pull`: a backbone is there once its card is, whatever ends the job. */
export function pullRules(source: BackboneSource): JobKindRules {
  return {
    // What was fetched lies in the cache, and is gone on with by the next pull.
    cleanUp: async () => undefined,
    finished: async ({ input }) => {
      const card = await source.card((input as unknown as PullInput).backbone).catch((error: unknown) => {
        if (isNotFound(error)) return undefined;
        throw error;
      });
      return card && pulled(card);
    },
  };
}

/** What a job of kind `pull` brought. */
export function pulled({ name, bytes, features, license }: BackboneCard): JobOutput {
  return { name, bytes, dimensions: features.dimensions, license };
}
