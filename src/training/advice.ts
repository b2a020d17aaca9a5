import type { Modality } from '../backbones/modality.js';
import type { BackboneCard } from '../schemas/backbones.js';
import type { DataFindings, Evaluation, Report } from '../schemas/report.js';

type Advice = NonNullable<Report['advice']>[number];

/** Right so often, a better backbone brings little. */
const GOOD_ENOUGH = 0.97;
/** Share of the mistakes that one class must have for its examples to help most. */
const MIN_SHARE_OF_MISTAKES = 0.1;
/** Examples that are asked for at once. */
const MORE_EXAMPLES = 30;

export interface AdviceOptions {
  evaluation: Evaluation | null;
  data: DataFindings;
  card: BackboneCard;
  modality: Pick<Modality, 'words' | 'stronger'>;
  /** Ids of the backbones that are there for this kind of content. */
  installed: string[];
}

/** What would help most, the surest first; each a sentence with what to do. */
export function adviceFor({ evaluation, data, card, modality, installed }: AdviceOptions): Advice[] {
  const { many } = modality.words;
  const advice: Advice[] = [];
  for (const label of evaluation?.untested ?? []) {
    if (advice.length === 3) break;
    const sentence = `Add ${many} of ${label}: none could be held out, so nothing is known of this class.`;
    advice.push({ kind: 'more_examples', labels: [label], sentence });
  }
  const stronger = (evaluation?.accuracy ?? 0) < GOOD_ENOUGH ? modality.stronger?.(card, installed) : undefined;
  if (stronger) advice.push({ kind: 'stronger_backbone', labels: [], ...stronger });
  const weakest = evaluation && weakestClass(evaluation);
  if (weakest) {
    const { label, train_examples, mistakes, total } = weakest;
    const sentence = `Add ${MORE_EXAMPLES} more ${many} of ${label}: it has ${train_examples}, and ${mistakes} of the ${total} mistakes are its own.`;
    advice.push({ kind: 'more_examples', labels: [label], sentence });
  }
  const [pair] = data.confusable_classes.items;
  if (pair && (evaluation?.classes.length ?? 0) > 2) {
    const [a, b] = pair.labels;
    const share = (pair.share * 100).toFixed(0);
    const sentence = `Ask whether ${a} and ${b} must be two classes: ${share} % of their ${many} are taken for each other.`;
    advice.push({ kind: 'merge_classes', labels: pair.labels, sentence });
  }
  return advice;
}

/** The class whose examples are missed most, for the examples that it has. */
function weakestClass({ classes }: Evaluation) {
  const rows = classes.flatMap(({ label, recall, support, train_examples }) =>
    recall === null ? [] : [{ label, train_examples, mistakes: Math.round((1 - recall) * support) }],
  );
  const total = rows.reduce((sum, { mistakes }) => sum + mistakes, 0);
  const worth = ({ mistakes, train_examples }: (typeof rows)[number]) => mistakes / Math.sqrt(train_examples + 1);
  const [first] = rows.sort((a, b) => worth(b) - worth(a));
  return first && first.mistakes > Math.max(1, MIN_SHARE_OF_MISTAKES * total) ? { ...first, total } : undefined;
}
