import type { Artifacts } from '../artifacts/artifacts.js';
import type { Backbones } from '../backbones/backbones.js';
import type { Catalog } from '../backbones/catalog/catalog.js';
import type { DefaultBackbone } from '../backbones/default-backbone.js';
import type { Config } from '../config.js';
import type { Datasets } from '../datasets/datasets.js';
import type { JobQueue } from '../jobs/job-queue.js';
import type { Jobs } from '../jobs/jobs.js';
import type { Predictor } from '../prediction/predictor.js';
import type { Registry } from '../registry/registry.js';
import type { BackboneCard } from '../schemas/backbones.js';
import type { Dataset } from '../schemas/datasets.js';
import type { JobSettings } from '../schemas/jobs.js';

/** What the use cases work with; the entry point makes it. */
export interface OperationsDependencies {
  datasets: Pick<
    Datasets,
    | 'receive'
    | 'createFrom'
    | 'storedBytes'
    | 'discard'
    | 'keepUploads'
    | 'dropUploads'
    | 'find'
    | 'get'
    | 'list'
    | 'delete'
    | 'content'
  >;
  jobs: Pick<
    Jobs,
    | 'submit'
    | 'listAll'
    | 'bindIdempotencyKey'
    | 'releaseIdempotencyKey'
    | 'get'
    | 'list'
    | 'cancel'
    | 'events'
    | 'follow'
    | 'uses'
    | 'findOpen'
  >;
  queue: Pick<JobQueue, 'evictionPolicy'>;
  registry: Registry;
  backbones: Pick<Backbones, 'card' | 'list' | 'load' | 'loaded'>;
  /** Public networks that can be pulled. */
  catalog: () => Promise<Catalog>;
  /** An archive of photos that Graft draws, the same every time. */
  drawnPhotos: () => Promise<Buffer>;
  predictor: Pick<Predictor, 'predict'>;
  artifacts: Pick<Artifacts, 'create'>;
  /** What is said of disks that are nearly full. */
  lowDisks: () => Promise<string[]>;
  /** Refuses settings that do not fit the data set. */
  defaultBackbone: Pick<DefaultBackbone, 'id'>;
  checkTraining: (dataset: Dataset, settings: JobSettings, card: BackboneCard) => void;
  limits: Pick<Config, 'ALLOW_PULL' | 'MAX_MODELS' | 'MAX_PREDICT_EXAMPLES' | 'MAX_EVENT_STREAMS' | 'MAX_TENANT_BYTES'>;
}
