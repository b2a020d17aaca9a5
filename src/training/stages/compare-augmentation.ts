import { firstRows } from '../../numbers/features.js';
import type { Report } from '../../schemas/report.js';
import { fitHead } from '../choose-head/fit-head.js';
import type { Samples } from '../choose-head/samples.js';
import { measure } from '../measure.js';
import type { ExtractedExamples, Measured, Run, Trained } from '../run.js';
import { scoreExamples } from '../score-examples.js';

/**
 * What varied copies brought: the same fit on the examples alone beside the one with their copies, on the same unseen ones.
 * @returns null where there are none, where nothing was held out, or where the top was trained
 */
export async function compareAugmentation(
  run: Run,
  { samples, parts }: ExtractedExamples,
  trained: Trained,
  { evaluation }: Measured,
): Promise<NonNullable<Report['augmentation']> | null> {
  if (!run.augmentation || !evaluation || trained.top) return null;
  const { request } = trained;
  const alone = withoutCopies(samples);
  const quiet = { onEpoch: () => undefined, onProgress: () => undefined };
  const fitted = await fitHead({ ...request, samples: alone, ...quiet });
  const { train, test } = parts;
  const score = { engine: request.engine, layers: fitted.layers, samples: alone, examples: test };
  const tested = test.length > 0 ? scoreExamples(score) : undefined;
  const folded = request.folds.size > 0;
  const plain = measure({ fitted, samples: alone, train, test, tested, folded }).evaluation!;
  const gain = 100 * (evaluation.accuracy - plain.accuracy);
  if (gain <= 0) {
    run.progress.warn(`Augmentation brought ${gain.toFixed(1)} points of accuracy here: the job is faster without it.`);
  }
  return {
    copies: samples.y.length - alone.y.length,
    accuracy: evaluation.accuracy,
    accuracy_without: plain.accuracy,
    gain_points: gain,
    log_loss: evaluation.log_loss,
    log_loss_without: plain.log_loss,
  };
}

function withoutCopies({ features, y, origin, labels }: Samples): Samples {
  const firstCopy = origin.findIndex((example, row) => example !== row);
  const count = firstCopy < 0 ? origin.length : firstCopy;
  return {
    features: firstRows(features, count),
    y: y.subarray(0, count),
    origin: origin.subarray(0, count),
    labels,
  };
}
