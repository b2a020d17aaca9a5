import { accuracy, logLoss, type Scored } from './scores.js';

/** One row of a learning curve. */
export interface CurveRow {
  epoch: number;
  train_loss: number;
  train_accuracy: number;
  /** null: nothing was held out. */
  validation_loss: number | null;
  validation_accuracy: number | null;
}

/** @param held scores of the rows that were held out; may be none */
export function curveRow(epoch: number, trained: { loss: number; accuracy: number }, held: Scored): CurveRow {
  const some = held.y.length > 0;
  return {
    epoch,
    train_loss: trained.loss,
    train_accuracy: trained.accuracy,
    validation_loss: some ? logLoss(held) : null,
    validation_accuracy: some ? accuracy(held) : null,
  };
}
