import { AppError } from '../errors.js';

/** @param reason ends the sentence */
export function unusable(id: string, reason: string): AppError {
  return new AppError('backbone_invalid', `Backbone '${id}' cannot be used: ${reason}.`, { details: { backbone: id } });
}
