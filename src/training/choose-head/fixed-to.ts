import type { Hyperparameters } from '../../schemas/jobs.js';
import type { FittedHead } from './contract.js';

/** The settings that were chosen, as if the user had set them. */
export function fixedTo(fitted: FittedHead, wanted: Hyperparameters) {
  const { head: _head, optimizer, ...chosen } = fitted.settings;
  const lbfgs = optimizer === 'lbfgs';
  return {
    head: fitted.kind,
    hyperparameters: {
      ...wanted,
      optimizer: optimizer as 'lbfgs' | 'adam',
      ...(lbfgs
        ? { weight_decay: chosen.weight_decay as number, epochs: chosen.epochs as number, early_stopping: 0 }
        : (chosen as Hyperparameters)),
    },
  };
}
