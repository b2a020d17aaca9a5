import type { Datasets } from '../datasets/datasets.js';
import type { JobKindRules } from '../jobs/job-worker.js';
import type { IntakeInput, JobOutput } from '../schemas/jobs.js';
import type { Dataset } from '../schemas/datasets.js';

/** Most classes in what a job says; the data set itself names all. */
const MAX_CLASSES = 100;

/** What a worker must know of jobs of kind `intake`: a data set exists once its manifest does, whatever ends the job. */
export function intakeRules(datasets: Datasets): JobKindRules {
  return {
    cleanUp: ({ tenant, input }, { succeeded }) =>
      datasets.settleIntake(tenant, (input as unknown as IntakeInput).into, { succeeded }),
    finished: async ({ tenant, input }) => {
      const dataset = await datasets.find(tenant, (input as unknown as IntakeInput).into);
      return dataset && understood(dataset);
    },
  };
}

/** What a job of kind `intake` brought: the data set, and how the archive was understood. */
export function understood(dataset: Dataset): JobOutput {
  const { id, name, examples, conflicts, splits, layout, refused_count, duplicate_count } = dataset;
  const { class_count, classes, ignored, warnings } = dataset;
  return {
    dataset: id,
    name,
    examples,
    conflicts,
    splits,
    layout,
    class_count,
    classes: classes.slice(0, MAX_CLASSES),
    refused_count,
    duplicate_count,
    ignored,
    warnings,
  };
}
