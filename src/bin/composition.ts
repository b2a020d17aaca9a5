/** What several entry points construct in the same way. */

import type { BackbonesOptions } from '../backbones/backbones.js';
import { mayBeImage } from '../backbones/image/names.js';
import { inspectImage } from '../backbones/image/pixels.js';
import type { Config } from '../config.js';
import type { DatasetsOptions } from '../datasets/datasets.js';
import type { Storage } from '../storage/contract.js';
import type { OpenedStorage } from '../storage/open-storage.js';
import { backbonesOf } from './backbones-of.js';

export function datasetsOptions(config: Config, { storage, temporaryFolder }: OpenedStorage): DatasetsOptions {
  return {
    storage,
    temporaryFolder,
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

export function backbonesOptions(config: Config, storage: Storage): BackbonesOptions {
  const { source } = backbonesOf(config, storage);
  return { source, threads: config.BACKBONE_THREADS, provider: config.EXECUTION_PROVIDER };
}
