import type { Identity } from '../access/key-ring.js';
import { AppError } from '../errors.js';

/** Who asks for something. A transport finds it out from the key of a request. */
export interface Caller extends Identity {
  /** Of the request, so that lines of a log can be traced back to it. */
  requestId: string;
}

/** One page of a list: `limit` rows at most, after the row `after`, which need not exist. */
export interface PageOf<After = string> {
  limit: number;
  after?: After | undefined;
}

/** Whether a caller may see and use a model. */
export function mayUse({ models }: Pick<Caller, 'models'>, model: string | null): boolean {
  return models === undefined || (model !== null && models.has(model));
}

/** @throws AppError `forbidden` for a model that the key is not for */
export function refuseForeignModel(caller: Pick<Caller, 'models'>, model: string): void {
  if (mayUse(caller, model)) return;
  const names = [...caller.models!];
  throw new AppError('forbidden', `This API key is not for the model '${model}', but for ${names.join(', ')}.`);
}
