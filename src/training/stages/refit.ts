import type { ExtractedExamples, Run, Trained } from '../run.js';

/** Where `refit` is `all`: the same fit once more, on every example. Its figures stay those of the fit before. */
export async function refit(run: Run, { examples }: ExtractedExamples, trained: Trained): Promise<Trained> {
  if (run.settings.refit !== 'all') return trained;
  const fittedOn = [...examples.keys()];
  const { layers, top } = await trained.again(fittedOn);
  return { ...trained, fitted: { ...trained.fitted, layers }, top, fittedOn };
}
