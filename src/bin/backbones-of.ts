import { join } from 'node:path';
import { EmbeddedBackbones } from '../backbones/embedded.js';
import { InstalledBackbones } from '../backbones/installed.js';
import { sourcesInOrder } from '../backbones/source.js';
import type { Config } from '../config.js';
import type { Storage } from '../storage/contract.js';

/** The backbones that were installed, those that Graft comes with, and both as one. */
export function backbonesOf(config: Config, storage: Storage) {
  const installed = new InstalledBackbones({ storage, folder: join(config.CACHE_DIR, 'backbones') });
  const embedded = new EmbeddedBackbones({ folder: config.MODELS_DIR });
  return { installed, embedded, source: sourcesInOrder([installed, embedded]) };
}
