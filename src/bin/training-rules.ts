import type { JobKindRules } from '../jobs/job-worker.js';
import type { Registry } from '../registry/registry.js';
import type { JobOutput, TrainInput } from '../schemas/jobs.js';
import type { VersionManifest } from '../schemas/versions.js';

/** What a worker must know of jobs of kind `train`: a version is published once, whatever ends the job. */
export function trainingRules(registry: Registry): JobKindRules {
  const modelOf = (input: object) => (input as TrainInput).model;
  return {
    cleanUp: ({ tenant, id, input }, { succeeded }) =>
      registry.settle({ tenant, model: modelOf(input), job: id, succeeded }),
    finished: async ({ tenant, id, input }) => {
      const manifest = await registry.publishedBy(tenant, modelOf(input), id);
      return manifest && published(manifest);
    },
  };
}

/** What a job of kind `train` brought. */
export function published(manifest: VersionManifest): JobOutput {
  const { version, accuracy, accuracy_interval, baseline_accuracy } = manifest;
  return {
    version,
    accuracy,
    ...(accuracy_interval && { accuracy_interval }),
    ...(baseline_accuracy !== undefined && { baseline_accuracy }),
  };
}
