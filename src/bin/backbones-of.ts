import { join } from 'node:path';
import { DefaultBackbone } from '../backbones/default-backbone.js';
import { EmbeddedBackbones } from '../backbones/embedded.js';
import { InstalledBackbones } from '../backbones/installed.js';
import { sourcesInOrder } from '../backbones/source.js';
import type { Config } from '../config.js';
import type { Storage } from '../storage/contract.js';

/** The backbones that were installed, those that Graft comes with, both as one, and which of them jobs take that name none. */
export function backbonesOf(config: Config, storage: Storage) {
  const installed = new InstalledBackbones({ storage, folder: join(config.CACHE_DIR, 'backbones') });
  const embedded = new EmbeddedBackbones({ folder: config.MODELS_DIR });
  const standard = new DefaultBackbone({
    storage,
    setting: config.DEFAULT_BACKBONE,
    ofTexts: config.DEFAULT_TEXT_BACKBONE,
  });
  return { installed, embedded, source: sourcesInOrder([installed, embedded]), standard };
}
