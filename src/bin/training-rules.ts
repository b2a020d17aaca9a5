import type { JobKindRules } from '../jobs/job-worker.js';
import type { Registry } from '../registry/registry.js';
import type { TrainInput } from '../schemas/jobs.js';

/** What a worker must know of jobs of kind `train`: a version is published once, whatever ends the job. */
export function trainingRules(registry: Registry): JobKindRules {
  const modelOf = (input: object) => (input as TrainInput).model;
  return {
    cleanUp: ({ tenant, id, input }, { succeeded }) =>
      registry.settle({ tenant, model: modelOf(input), job: id, succeeded }),
    finished: async ({ tenant, id, input }) => {
      const published = await registry.publishedBy(tenant, modelOf(input), id);
      return published && { version: published.version, accuracy: published.accuracy };
    },
  };
}
