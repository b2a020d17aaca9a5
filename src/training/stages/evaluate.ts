import { measure } from '../measure.js';
import type { ExtractedExamples, Measured, Run, Trained } from '../run.js';

/** With fewer, one example more or less moves the accuracy by more than 3 points. */
const MIN_TO_BE_SURE = 30;

/** How good the version is on examples that it has not seen. */
export function evaluate(run: Run, { samples, parts }: ExtractedExamples, trained: Trained): Measured {
  const { progress } = run;
  const { words } = run.modality;
  const { fitted, tested, request } = trained;
  const { train, test } = parts;
  const measured = measure({ fitted, samples, train, test, tested, folded: request.folds.size > 0 });
  const { evaluation } = measured;
  if (evaluation === null) {
    progress.warn('Nothing could be held out, so the accuracy of this version is not known.');
  } else if (evaluation.examples < MIN_TO_BE_SURE) {
    const count = evaluation.examples === 1 ? `one ${words.one}` : `${evaluation.examples} ${words.many}`;
    progress.warn(`Accuracy was measured on ${count} only; take it as a hint.`);
  }
  const figure = evaluation
    ? `, accuracy ${(evaluation.accuracy * 100).toFixed(1)} % on ${evaluation.examples} unseen ${words.many}`
    : '';
  const data = { ...fitted.settings, accuracy: evaluation?.accuracy ?? null };
  progress.event('selected', `Chose a ${fitted.kind} head${figure}`, data);
  return measured;
}
