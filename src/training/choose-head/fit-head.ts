/**
 * Choose and fit a head.
 *  1. Settings left on `auto` are chosen on examples that the candidate fits do not see: the validation part, or folds of a
 *     cross-validation.
 *  2. Their scores give the temperature.
 *  3. The head is fitted again on the examples that `refit` names, with the settings chosen.
 */
import { fitByAdam } from './fit-adam.js';
import { fitByLbfgs } from './fit-lbfgs.js';
import { fitPrototypes } from './fit-prototypes.js';
import type { FittedHead, HeadCandidate, HeadOptions } from './contract.js';
import { heldOutExamples } from './held-out-rounds.js';
import { isSet } from './is-set.js';

/** Below this the linear head wins or ties on every data set tried, and a trial costs more than all of its fit. */
const MIN_PERCEPTRON_EXAMPLES = 2000;
/** Above this its trial takes many times as long as all else: whoever wants it asks for it. */
const MAX_PERCEPTRON_EXAMPLES = 20_000;

export async function fitHead(options: HeadOptions): Promise<FittedHead> {
  const { hidden_units: units, dropout, optimizer } = options.hyperparameters;
  if (options.head === 'prototype') return fitPrototypes(options);
  // What belongs to one kind of head chooses it.
  if (options.head === 'mlp' || (options.head === 'auto' && (isSet(units) || isSet(dropout)))) return fitMlp(options);
  if (options.head === 'linear' || optimizer === 'lbfgs') return fitLinear(options);
  const linear = await fitLinear(options);
  if (!triesPerceptron(options)) return linear;
  const mlp = await fitMlp(options);
  const [second] = mlp.candidates as [HeadCandidate];
  const best = linear.candidates.reduce((most, row) => (row.accuracy > most.accuracy ? row : most));
  const margin = Math.sqrt((best.accuracy * (1 - best.accuracy)) / Math.max(1, heldOutExamples(options).length));
  const chosen = second.accuracy > best.accuracy + margin ? mlp : linear;
  return { ...chosen, candidates: [...linear.candidates, ...mlp.candidates] };
}

/** Sparse features have so many columns that a hidden layer takes minutes where a linear head takes seconds. */
function triesPerceptron(options: HeadOptions): boolean {
  const { samples, train } = options;
  if (samples.features.kind === 'sparse' || train.length < MIN_PERCEPTRON_EXAMPLES) return false;
  return train.length <= MAX_PERCEPTRON_EXAMPLES && heldOutExamples(options).length > 0;
}

/** Whether a hidden layer may do better and was not tried for its time. */
export function leavesPerceptronOut({
  head,
  samples,
  train,
}: Pick<HeadOptions, 'head' | 'samples' | 'train'>): boolean {
  return head === 'auto' && samples.features.kind === 'dense' && train.length > MAX_PERCEPTRON_EXAMPLES;
}

async function fitLinear(options: HeadOptions): Promise<FittedHead> {
  const { hyperparameters: wanted } = options;
  const optimizer = isSet(wanted.optimizer)
    ? wanted.optimizer
    : isSet(wanted.learning_rate) || isSet(wanted.batch_size) || isSet(wanted.learning_rate_schedule)
      ? 'adam'
      : 'lbfgs';
  return optimizer === 'adam' ? fitByAdam(options, 'linear') : fitByLbfgs(options);
}

function fitMlp(options: HeadOptions): Promise<FittedHead> {
  return fitByAdam(options, 'mlp');
}
