import { AppError } from '../../errors.js';
import { standardise } from '../../numbers/standardise.js';
import { classWithoutTrainingExamples } from '../check-training.js';
import { extractFeatures } from '../extract/extract-features.js';
import { trunkOutputs } from '../extract/trunk-outputs.js';
import type { ExtractedExamples, Networks, Parts, Run } from '../run.js';

/**
 * Features of all examples, standardised on those that are trained on or choose settings. Content that cannot be read is
 * left out and named; what is left of the parts is what counts.
 * @throws AppError `no_examples`, or `class_without_training_examples` where none of a class can be read
 */
export async function extract(run: Run, split: Parts, { backbone, top }: Networks): Promise<ExtractedExamples> {
  const { dataset, labels, augmentation, progress, modality } = run;
  const passes = top ? 2 : 1;
  const options = {
    examples: run.examples,
    readForward: dataset.readForward,
    backbone,
    cache: run.cache,
    vary: modality.vary,
    augmentation: augmentation && { settings: augmentation, of: split.train },
    onProgress: progress.extracting(0, passes),
    onCacheError: (error: unknown) =>
      progress.warn(
        `Features are not kept for the next job. ${error instanceof AppError ? error.message : 'The feature cache cannot be written.'}`,
      ),
  };
  const { features, kept, origin, skipped, ...figures } = await extractFeatures(options);
  const trunk = top && { ...options, backbone: top.trunk, onProgress: progress.extracting(1, passes) };
  const readTrunk = trunk && (await trunkOutputs(trunk, kept));
  if (skipped.length > 0) {
    const { one, many } = modality.words;
    const some = skipped.length === 1 ? `One ${one}` : `${skipped.length} ${many}`;
    progress.warn(`${some} could not be decoded and took no part, such as ${skipped[0]!.name}.`);
  }
  const examples = kept.map((index) => run.examples[index]!);
  const parts = partsOf(split, kept);
  const trained = new Set(parts.train.map((example) => examples[example]!.label));
  const untrained = labels.filter((label) => !trained.has(label));
  if (untrained.length > 0) throw classWithoutTrainingExamples(untrained);

  progress.phase('training', 'Fitting the head');
  const index = new Map(labels.map((label, k) => [label, k]));
  const { dense_columns } = backbone.card.features;
  const standard = standardise(features, [...parts.train, ...parts.validation], dense_columns);
  const y = Int32Array.from(origin, (example) => index.get(examples[example]!.label)!);
  const samples = { features, y, origin, labels };
  return { examples, parts, samples, standard, readTrunk, skipped, ...figures };
}

/** The parts of what could be read, as places in `kept`. */
function partsOf({ train, validation, test }: Parts, kept: number[]): ExtractedExamples['parts'] {
  const place = new Map(kept.map((example, row) => [example, row]));
  const placesOf = (examples: number[]) => examples.flatMap((example) => place.get(example) ?? []);
  return { train: placesOf(train), validation: placesOf(validation), test: placesOf(test) };
}
