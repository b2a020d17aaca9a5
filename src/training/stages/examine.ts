import type { Split } from '../../schemas/common.js';
import type { DataFindings } from '../../schemas/report.js';
import type { FittedHead } from '../choose-head/contract.js';
import { examineData } from '../doctor/examine-data.js';
import type { ExtractedExamples, Run, Trained } from '../run.js';

/** λ of a linear head on standardised features, where none was chosen. */
const USUAL_PENALTY = 0.1;

/** What is likely wrong with the data. */
export async function examine(run: Run, extracted: ExtractedExamples, { fitted }: Trained): Promise<DataFindings> {
  const { dataset, modality, seed, progress } = run;
  const { examples, samples, parts } = extracted;
  progress.phase('evaluating', 'Looking for faults in the data');
  return examineData({
    entries: examples,
    ...samples,
    splits: splitsOf(parts, examples.length),
    weightDecay: penaltyOf(fitted),
    seed,
    readContent: (entry) => dataset.readContent(entry),
    similarity: modality.similarity,
    odd: modality.odd?.bind(modality),
  });
}

/** The part of each example. */
function splitsOf(parts: ExtractedExamples['parts'], examples: number): Split[] {
  const splits = new Array<Split>(examples);
  for (const split of ['train', 'validation', 'test'] as const) {
    for (const example of parts[split]) splits[example] = split;
  }
  return splits;
}

/** For heads that doubt labels: what was chosen for the linear head, or what usually is. */
function penaltyOf({ candidates }: FittedHead): number {
  const linear = candidates.filter(({ head }) => head === 'linear').sort((a, b) => a.log_loss - b.log_loss);
  return linear[0]?.weight_decay ?? USUAL_PENALTY;
}
