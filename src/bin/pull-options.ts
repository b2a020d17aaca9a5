import { join } from 'node:path';
import type { PullOptions } from '../backbones/catalog/pull-backbone.js';
import type { BackboneSource } from '../backbones/source.js';
import type { Config } from '../config.js';
import { type BackboneOwners, installBackbone } from '../operations/installed-backbones.js';
import { catalogOf } from './composition.js';

/** How whoever pulls a backbone does it here: where it is asked for, where it waits, and where it goes. */
export async function pullOptions(
  config: Config,
  owners: BackboneOwners & { source: BackboneSource },
): Promise<Pick<PullOptions, 'catalog' | 'source' | 'downloads' | 'install' | 'mirror'>> {
  return {
    catalog: await catalogOf(config),
    source: owners.source,
    downloads: join(config.CACHE_DIR, 'downloads'),
    install: (imported) => installBackbone(owners, imported),
    ...(config.BACKBONE_MIRROR !== '' && { mirror: config.BACKBONE_MIRROR }),
  };
}
