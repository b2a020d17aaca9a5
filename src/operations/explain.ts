import { AppError } from '../errors.js';
import type { Prediction } from '../schemas/predictions.js';
import { type Classify, predictWith, refuseTooMany, unaliased } from './classify.js';
import type { OperationsDependencies } from './dependencies.js';

/** Each takes a pass of the backbone of its own, and its answer is large. */
export const MAX_EXPLAINED = 16;

export interface Explain extends Classify {
  /** Class to explain; undefined: the predicted one. */
  label: string | undefined;
  /** Nearest training examples to name. */
  nearest: number;
}

/**
 * Classify examples and say why.
 * @throws AppError `invalid_request` for a class that the model does not have; `too_large` beyond `MAX_EXPLAINED`; and what
 * classifying throws
 */
export function explainOperation(dependencies: Pick<OperationsDependencies, 'registry' | 'predictor' | 'limits'>) {
  const { registry, limits } = dependencies;
  return async (request: Explain): Promise<Prediction> => {
    const { caller, model, label, nearest } = request;
    const manifest = await registry.resolve(caller.tenant, model, unaliased(request.reference));
    const { labels } = manifest;
    if (label !== undefined && !labels.includes(label)) {
      throw new AppError(
        'invalid_request',
        `Class '${label}' is none of the ${labels.length} classes of '${model}', such as '${labels[0]}'.`,
        { details: { classes: labels.slice(0, 100) } },
      );
    }
    const examples = await request.examples();
    refuseTooMany(examples.length, limits.MAX_PREDICT_EXAMPLES);
    if (examples.length > MAX_EXPLAINED) {
      throw new AppError(
        'too_large',
        `${examples.length} examples to explain in one request; at most ${MAX_EXPLAINED}.`,
      );
    }
    return predictWith(dependencies, { ...request, explain: { label, nearest } }, manifest, examples);
  };
}
