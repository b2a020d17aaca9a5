import type { HeadOptions } from './contract.js';

/** Examples that choose settings in one fit: the validation part, or the first fold that has some. */
export function heldOutExamples(options: HeadOptions): number[] {
  return heldOutRounds(options).rounds[0]?.held ?? [];
}

/** Fits to choose settings with, and the examples that each of them does not see; none where nothing can be held out. */
export function heldOutRounds({ train, validation, folds, foldCount }: HeadOptions): {
  /** Of all rounds together. */
  held: number[];
  rounds: { fit: number[]; held: number[] }[];
} {
  if (validation.length > 0) return { held: validation, rounds: [{ fit: train, held: validation }] };
  const held = train.filter((example) => (folds.get(example) ?? -1) >= 0);
  const rounds = Array.from({ length: foldCount }, (_, fold) => ({
    fit: train.filter((example) => folds.get(example) !== fold),
    held: train.filter((example) => folds.get(example) === fold),
  }));
  // Of few examples a fold may have none.
  return { held, rounds: rounds.filter((round) => round.held.length > 0) };
}
