import { type JobSettings, trainsBackbone } from '../../schemas/jobs.js';
import { isSet } from './is-set.js';

/** Whether a head of these settings is judged on every fold: Adam is watched on one alone, and a trained top, too. */
export function isFolded({
  trainable,
  head = 'auto',
  hyperparameters: wanted = {},
}: Omit<JobSettings, 'model'>): boolean {
  if (trainsBackbone({ trainable }) || head === 'mlp') return false;
  if (head === 'prototype' || wanted.optimizer === 'lbfgs') return true;
  const { optimizer, learning_rate, learning_rate_schedule, batch_size, hidden_units, dropout } = wanted;
  return ![optimizer, learning_rate, learning_rate_schedule, batch_size, hidden_units, dropout].some(isSet);
}
