/**
 * operations/ holds the use cases, one file a noun: what "train" or "classify" means, whoever asks. Each takes one object
 * with its caller and answers with domain values. Rules belong here: quotas, what is in use, what is cleaned up. Not here:
 * headers, bodies, status codes and paths (http/), and how things are kept (datasets/, registry/, jobs/).
 *
 * A transport calls operations and nothing else.
 */
import { aliasOperations } from './aliases.js';
import { backboneOperations } from './backbones.js';
import { type Caller, refuseForeignModel } from './caller.js';
import { classifyOperation } from './classify.js';
import { datasetOperations } from './datasets.js';
import type { OperationsDependencies } from './dependencies.js';
import { jobOperations } from './jobs.js';
import { modelOperations } from './models.js';
import { serviceOperations } from './service.js';
import { trainOperations } from './train.js';
import { versionOperations } from './versions.js';

/** All use cases over one set of dependencies. */
export function createOperations(dependencies: OperationsDependencies) {
  return forItsModels({
    datasets: datasetOperations(dependencies),
    train: trainOperations(dependencies),
    jobs: jobOperations(dependencies),
    models: modelOperations(dependencies),
    versions: versionOperations(dependencies),
    aliases: aliasOperations(dependencies),
    classify: classifyOperation(dependencies),
    backbones: backboneOperations(dependencies),
    service: serviceOperations(dependencies),
  });
}

/** Each operation that names a model first asks whether the caller's key is for it. @throws AppError `forbidden` */
function forItsModels<T extends object>(operations: T): T {
  const guarded = (operation: (request: Partial<{ caller: Caller; model: string }>) => unknown) => {
    return (request: Parameters<typeof operation>[0] = {}) => {
      if (request.caller?.models && request.model !== undefined) refuseForeignModel(request.caller, request.model);
      return operation(request);
    };
  };
  const entries = Object.entries(operations).map(([name, operation]) => [
    name,
    typeof operation === 'function' ? guarded(operation) : forItsModels(operation as object),
  ]);
  return Object.fromEntries(entries) as T;
}

export type Operations = ReturnType<typeof createOperations>;
