import type { DenseLayer } from '../heads/head.js';
import { fitHead } from './choose-head/fit-head.js';
import { fixedTo } from './choose-head/fixed-to.js';
import type { FittedHead, HeadOptions } from './choose-head/contract.js';

/** Fit a head. `again` fits the same, with the settings that were chosen, on other examples. */
export async function fitRequest(
  request: HeadOptions,
): Promise<{ fitted: FittedHead; again: (examples: number[]) => Promise<DenseLayer[]> }> {
  const fitted = await fitHead(request);
  const again = async (examples: number[]) => {
    const { layers } = await fitHead({
      ...request,
      ...fixedTo(fitted, request.hyperparameters),
      train: examples,
      finalFit: examples,
      validation: [],
      folds: new Map(),
      onEpoch: () => undefined,
      onProgress: () => undefined,
    });
    return layers;
  };
  return { fitted, again };
}
