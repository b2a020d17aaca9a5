import type { Backbones } from '../backbones/backbones.js';
import type { Backbone } from '../backbones/contract.js';
import type { FeatureRow } from '../numbers/features.js';
import type { VersionManifest } from '../schemas/versions.js';

/** How content becomes the features of one version; its head takes these. */
export interface ServedFeatures {
  /** Memory that it takes for this version alone. */
  readonly bytes: number;
  /**
   * For one request: the pass that it shares with other versions, and what makes the version's features of its row.
   * @throws AppError `backbone_not_found`, `backbone_invalid`, `backbone_mismatch`
   */
  begin(): Promise<{ backbone: Backbone; finish: (row: FeatureRow) => FeatureRow | Promise<FeatureRow> }>;
  /** The version is served no longer. */
  close(): void;
}

/** Of a version on a backbone as it is: nothing follows the pass. */
export function wholeBackbone(backbones: Backbones, { backbone }: VersionManifest): ServedFeatures {
  return {
    bytes: 0,
    begin: async () => ({ backbone: await backbones.loadFor(backbone), finish: (row) => row }),
    close: () => undefined,
  };
}
