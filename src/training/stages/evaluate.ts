import { accuracyWords } from '../../numbers/accuracy-words.js';
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
  const untested = evaluation?.untested ?? [];
  if (untested.length > 0) {
    const names = `${untested.slice(0, 5).join(', ')}${untested.length > 5 ? ` and ${untested.length - 5} more` : ''}`;
    progress.warn(
      `No held-out ${words.one} tests ${names}: nothing is known of ${untested.length === 1 ? 'this class' : 'these classes'}.`,
    );
  }
  const figure = evaluation
    ? `, accuracy ${accuracyWords(evaluation)} on ${evaluation.examples} unseen ${words.many}`
    : '';
  const data = { ...fitted.settings, accuracy: evaluation?.accuracy ?? null };
  progress.event('selected', `Chose a ${fitted.kind} head${figure}`, data);
  return measured;
}
