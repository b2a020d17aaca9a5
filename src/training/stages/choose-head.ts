import { loadEngine } from '../../heads/engine.js';
import type { HeadOptions } from '../choose-head/contract.js';
import { leavesPerceptronOut } from '../choose-head/fit-head.js';
import { fitRequest } from '../fit-request.js';
import { dealFolds } from '../parts.js';
import type { ExtractedExamples, Run, Trained } from '../run.js';
import { scoreExamples } from '../score-examples.js';

/** Few examples need more folds to tell settings apart, and can afford them. */
const foldsFor = (examples: number) => (examples <= 1000 ? 5 : 3);

/** Choose the settings of a head on examples that its fits have not seen, and fit it on those that `refit` names. */
export async function chooseHead(run: Run, extracted: ExtractedExamples): Promise<Trained> {
  const { settings, hyperparameters, seed, progress } = run;
  const { examples, parts, samples, standard } = extracted;
  const { train, validation } = parts;
  const engine = await loadEngine();
  const foldCount = foldsFor(train.length);
  const folds = validation.length > 0 ? new Map<number, number>() : dealFolds(examples, train, foldCount, seed);
  const request: HeadOptions = {
    engine,
    samples,
    train,
    validation,
    folds: [...folds.values()].every((fold) => fold < 0) ? new Map() : folds,
    foldCount,
    finalFit: settings.refit === 'none' ? train : [...train, ...validation],
    head: settings.head ?? 'auto',
    hyperparameters,
    seed,
    onEpoch: progress.epoch,
    onProgress: progress.training,
  };
  const { fitted, again } = await fitRequest(request);
  if (fitted.heldOut === undefined) {
    progress.warn('Nothing could be held out to choose settings on: defaults were used.');
  }
  if (fitted.kind === 'linear' && leavesPerceptronOut(request)) {
    progress.warn(
      `Of ${train.length} training ${run.modality.words.many} a head with a hidden layer may learn more; it takes minutes and was not tried. Ask for it with head mlp.`,
    );
  }
  const test = parts.test.length > 0 ? parts.test : undefined;
  return {
    fitted,
    request,
    standard,
    fittedOn: request.finalFit,
    tested: test && scoreExamples({ engine, layers: fitted.layers, samples, examples: test }),
    top: undefined,
    again: async (some) => ({ layers: await again(some), top: undefined }),
  };
}
