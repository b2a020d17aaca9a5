/** What several entry points construct in the same way. */
import { join } from 'node:path';
import type { BackbonesOptions } from '../backbones/backbones.js';
import { EmbeddedBackbones } from '../backbones/embedded.js';
import { mayBeImage } from '../backbones/image/names.js';
import { inspectImage } from '../backbones/image/pixels.js';
import type { Config } from '../config.js';
import type { DatasetsOptions } from '../datasets/datasets.js';
import type { Storage } from '../storage/contract.js';

export function datasetsOptions(config: Config, storage: Storage): DatasetsOptions {
  return {
    storage,
    // Where the storage puts what is half-written: one sweep removes what a crash leaves of either.
    temporaryFolder: join(config.DATA_DIR, '.tmp'),
    limits: {
      maxUploadBytes: config.MAX_UPLOAD_BYTES,
      maxEntries: config.MAX_ARCHIVE_ENTRIES,
      maxRatio: config.MAX_ARCHIVE_RATIO,
      maxClasses: config.MAX_CLASSES,
      maxDatasets: config.MAX_DATASETS,
    },
    modalities: [
      {
        id: 'image',
        words: { one: 'image', many: 'images' },
        maxBytes: config.MAX_EXAMPLE_BYTES,
        mayBeContent: mayBeImage,
        inspect: async (content) => ({ ...(await inspectImage(content, { maxPixels: config.MAX_IMAGE_PIXELS })) }),
      },
    ],
    concurrency: 4,
    archivesAtOnce: config.UNPACK_CONCURRENCY,
  };
}

export function backbonesOptions(config: Config): BackbonesOptions {
  const source = new EmbeddedBackbones({ folder: config.MODELS_DIR });
  return { source, threads: config.BACKBONE_THREADS, provider: config.EXECUTION_PROVIDER };
}
