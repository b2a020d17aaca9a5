import type { Example, LabelledExample } from '../schemas/datasets.js';

/** The examples of a data set that have one label, in their order. Which label of a conflict is right, only the sender knows. */
export function labelledExamples(examples: Example[]): LabelledExample[] {
  return examples.flatMap(({ labels, conflict, ...rest }) => (conflict ? [] : [{ ...rest, label: labels[0]! }]));
}
