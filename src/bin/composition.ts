/**
 * bin/ holds the entry points. Only they construct things, read the environment and print; what they construct lies in the
 * rooms.
 *
 * This file: what several of them construct in the same way.
 */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { BackbonesOptions } from '../backbones/backbones.js';
import type { Catalog } from '../backbones/catalog/catalog.js';
import { imageModality } from '../backbones/image/modality.js';
import type { Modality } from '../backbones/modality.js';
import { textModality } from '../backbones/text/modality.js';
import { type Config, PACKAGE_ROOT } from '../config.js';
import type { DatasetsOptions } from '../datasets/datasets.js';
import type { Storage } from '../storage/contract.js';
import type { OpenedStorage } from '../storage/open-storage.js';
import { backbonesOf } from './backbones-of.js';

/** The public networks that can be pulled: the list of MODELS_DIR, or where it has none, Graft's own. */
export async function catalogOf({ MODELS_DIR }: Pick<Config, 'MODELS_DIR'>): Promise<Catalog> {
  const { readCatalog } = await import('../backbones/catalog/catalog.js');
  const own = join(MODELS_DIR, 'catalog.json');
  return readCatalog(existsSync(own) ? own : join(PACKAGE_ROOT, 'models', 'catalog.json'));
}

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
    modalities: modalities(config),
    concurrency: 4,
    archivesAtOnce: config.UNPACK_CONCURRENCY,
  };
}

export function backbonesOptions(config: Config, storage: Storage): BackbonesOptions {
  const { source } = backbonesOf(config, storage);
  return {
    source,
    modalities: modalities(config),
    threads: config.BACKBONE_THREADS,
    provider: config.EXECUTION_PROVIDER,
  };
}

/** The kinds of content that this installation takes. */
export function modalities(config: Config): Modality[] {
  return [
    imageModality({ maxPixels: config.MAX_IMAGE_PIXELS, maxBytes: config.MAX_EXAMPLE_BYTES }),
    textModality({ maxBytes: config.MAX_TEXT_BYTES }),
  ];
}
