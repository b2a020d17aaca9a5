/**
 * operations/ holds the use cases, one file a noun: what "train" or "classify" means, whoever asks. Each takes one object
 * with its caller and answers with domain values. Rules belong here: quotas, what is in use, what is cleaned up. Not here:
 * headers, bodies, status codes and paths (http/), and how things are kept (datasets/, registry/, jobs/).
 *
 * A transport calls operations and nothing else.
 */
import { aliasOperations } from './aliases.js';
import { backboneOperations } from './backbones.js';
import { classifyOperation } from './classify.js';
import { datasetOperations } from './datasets.js';
import type { OperationsDependencies } from './dependencies.js';
import { explainOperation } from './explain.js';
import { jobOperations } from './jobs.js';
import { modelOperations } from './models.js';
import { serviceOperations } from './service.js';
import { trainOperations } from './train.js';
import { versionOperations } from './versions.js';

/** All use cases over one set of dependencies. */
export function createOperations(dependencies: OperationsDependencies) {
  return {
    datasets: datasetOperations(dependencies),
    train: trainOperations(dependencies),
    jobs: jobOperations(dependencies),
    models: modelOperations(dependencies),
    versions: versionOperations(dependencies),
    aliases: aliasOperations(dependencies),
    classify: classifyOperation(dependencies),
    explain: explainOperation(dependencies),
    backbones: backboneOperations(dependencies),
    service: serviceOperations(dependencies),
  };
}

export type Operations = ReturnType<typeof createOperations>;
