import { AppError } from '../errors.js';
import type { VersionReference } from '../registry/registry.js';
import type { Prediction } from '../schemas/predictions.js';
import type { VersionManifest } from '../schemas/versions.js';
import type { Caller } from './caller.js';
import type { OperationsDependencies } from './dependencies.js';
import { checkExplain, type Explain } from './explain.js';

export type { VersionReference } from '../registry/registry.js';

/** One example to classify, as it was sent. */
export interface Example {
  /** Name of the file, or its place in the request. */
  name: string;
  bytes: Uint8Array;
}

/** What is asked of a version. */
export interface Asked {
  examples: Example[];
  /** Predictions per example, best first. */
  topK: number;
  /** Say why, too. */
  explain?: Explain | undefined;
  /** Answer the other examples where one cannot be read. */
  partial?: boolean | undefined;
}

export interface Classify {
  caller: Caller;
  model: string;
  reference: VersionReference;
  /**
   * Called once the model was found: of a request for one that is not there, nothing is read.
   * @param modality kind of content that the model takes
   */
  read: (modality: string) => Promise<Asked>;
  /** Aborted when nobody waits for the answer any more. */
  signal?: AbortSignal;
}

type Dependencies = Pick<OperationsDependencies, 'registry' | 'predictor' | 'limits'>;

/**
 * Classify examples with a version of a model.
 *
 * Work begins with the version that the model had when storage was last asked, while storage is asked again. In the rare
 * case that it now names another, the examples are classified once more: no answer comes from a version that is gone.
 * @throws AppError `model_not_found`, `version_not_found`, `alias_not_found`, `too_large`, `overloaded`, `content_*`, and
 *   what `checkExplain` throws
 */
export function classifyOperation(dependencies: Dependencies) {
  const { registry, limits } = dependencies;
  return async (request: Classify): Promise<Prediction> => {
    const { caller, model } = request;
    const reference = unaliased(request.reference);
    const resolving = registry.resolve(caller.tenant, model, reference);
    resolving.catch(() => undefined); // it is awaited below
    const expected = registry.lastKnown(caller.tenant, model, reference) ?? (await resolving);
    const asked = await request.read(expected.modality ?? 'image');
    refuseTooMany(asked.examples.length, limits.MAX_PREDICT_EXAMPLES);
    // An explanation reads more of the version than its head: it begins when the version is certain.
    if (asked.explain) return predictWith(dependencies, request, await resolving, asked);
    const predicting = predictWith(dependencies, request, expected, asked);
    predicting.catch(() => undefined); // it is awaited below, if it counts
    const manifest = await resolving;
    return manifest === expected ? predicting : predictWith(dependencies, request, manifest, asked);
  };
}

/** `latest` reads like an alias, and is none. */
export function unaliased(reference: VersionReference): VersionReference {
  return reference !== 'latest' && 'alias' in reference && reference.alias === 'latest' ? 'latest' : reference;
}

/** What one version says of examples. */
async function predictWith(
  { predictor }: Pick<Dependencies, 'predictor'>,
  { caller, signal }: Classify,
  manifest: VersionManifest,
  { examples, topK, explain, partial }: Asked,
): Promise<Prediction> {
  const { results, timings } = await predictor.predict({
    tenant: caller.tenant,
    manifest,
    examples,
    topK,
    ...(explain && { explain: checkExplain(explain, { caller, manifest, examples: examples.length }) }),
    ...(partial && { partial }),
    ...(signal && { signal }),
  });
  return {
    model: manifest.model,
    version: manifest.version,
    backbone: manifest.backbone.id,
    // What an explanation says beside its label is the modality's; its schema is the public one.
    results: results.map((result, index) => ({ name: examples[index]!.name, ...result })) as Prediction['results'],
    timings,
  };
}

/** @throws AppError `too_large` */
export function refuseTooMany(examples: number, most: number): void {
  if (examples <= most) return;
  throw new AppError('too_large', `${examples} examples in one request; at most ${most} (MAX_PREDICT_EXAMPLES).`);
}
