import type { Artifacts } from '../artifacts/artifacts.js';
import type { Backbones } from '../backbones/backbones.js';
import type { Config } from '../config.js';
import type { Datasets } from '../datasets/datasets.js';
import type { JobQueue } from '../jobs/job-queue.js';
import type { Jobs } from '../jobs/jobs.js';
import type { Predictor } from '../prediction/predictor.js';
import type { RateLimits } from '../redis/rate-limits.js';
import type { Registry } from '../registry/registry.js';
import type { Dataset } from '../schemas/datasets.js';
import type { JobSettings } from '../schemas/jobs.js';
import type { Metrics } from './metrics.js';

/** All that routes need; the entry point makes it. */
export interface ApiDependencies {
  config: Config;
  datasets: Datasets;
  jobs: Jobs;
  queue: JobQueue;
  registry: Registry;
  backbones: Backbones;
  predictor: Predictor;
  artifacts: Artifacts;
  metrics: Metrics;
  /** Without them every key may send as much as it likes. */
  rateLimits?: RateLimits;
  /** Refuses settings that do not fit the data set. */
  checkTraining: (dataset: Dataset, settings: JobSettings) => void;
}
