import { createHash } from 'node:crypto';
import type { BackboneReference, Backbones } from '../backbones/backbones.js';
import type { Cutting, Trunk } from '../backbones/trunk.js';
import { AppError } from '../errors.js';

/**
 * A backbone cut in two, loaded once for all models with this cut.
 * @throws AppError `setting_conflict` where no part of the backbone can be trained; as `Backbones.load`
 */
export function loadTrunk(backbones: Backbones, backbone: BackboneReference, cutting: Cutting): Promise<Trunk> {
  const key = createHash('sha256')
    .update(`${backbone.sha256}\n${JSON.stringify(cutting.cut)}`)
    .digest('hex');
  return backbones.open(backbone, {
    key,
    how: (modality, options) => {
      if (modality.openTrunk) return modality.openTrunk({ ...options, key, cutting });
      throw notTrainable(backbone.id);
    },
  });
}

/** The top of this backbone cannot be trained, whatever the settings. */
export function notTrainable(id: string): AppError {
  return new AppError('setting_conflict', `No part of backbone '${id}' can be trained. Use trainable none.`, {
    details: { possible: 0 },
  });
}
