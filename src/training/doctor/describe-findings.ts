import type { DataFindings } from '../../schemas/report.js';

/** Named in a sentence; the report lists more. */
const MAX_NAMED = 3;

/**
 * What to do about the data: a sentence per kind of finding; none where nothing was found.
 * @param words of the modality: one example, and several
 */
export function describeFindings(data: DataFindings, words: { one: string; many: string }): string[] {
  const { one, many } = words;
  const { label_errors, near_duplicates, small_classes, confusable_classes, outliers, odd_examples } = data;
  const count = (total: number, single: string, several: string) =>
    total === 1 ? `One ${single}` : `${total} ${several}`;
  const sentences: string[] = [];
  if (label_errors.total > 0) {
    const examples = label_errors.items
      .slice(0, MAX_NAMED)
      .map(({ name, label, suggested }) => `${name} (${label}, or ${suggested}?)`);
    sentences.push(
      `${count(label_errors.total, 'label is', 'labels are')} worth a look, and ${expectation(label_errors)}: ${examples.join('; ')}. Correct or remove what is wrong, then train again.`,
    );
  }
  if (near_duplicates.leaked_test_examples > 0) {
    sentences.push(
      `${count(near_duplicates.leaked_test_examples, `test ${one} is a copy`, `test ${many} are copies`)} of training ${many}, so the accuracy looks better than it is. Keep copies in one part.`,
    );
  }
  if (near_duplicates.contradictions > 0) {
    const { examples } = near_duplicates.items[0]!;
    const [a, b] = [examples[0]!, examples.find(({ label }) => label !== examples[0]!.label) ?? examples[1]!];
    sentences.push(
      `${count(near_duplicates.contradictions, `${one} is`, `${many} are`)} there more than once with different labels, such as ${a.name} (${a.label}) and ${b.name} (${b.label}). Keep the right one.`,
    );
  }
  const harmless = near_duplicates.total - near_duplicates.contradictions;
  if (harmless > 0 && near_duplicates.leaked_test_examples === 0) {
    sentences.push(`${count(harmless, `${one} is`, `${many} are`)} there more than once; copies teach nothing new.`);
  }
  if (small_classes.total > 0) {
    const examples = small_classes.items.slice(0, MAX_NAMED).map((row) => `${row.label} (${row.training_examples})`);
    sentences.push(
      `${count(small_classes.total, 'class has', 'classes have')} fewer than 10 training ${many}: ${examples.join(', ')}${small_classes.total > MAX_NAMED ? ', …' : ''}. Add ${many}; from 20 on the figures begin to mean something.`,
    );
  }
  const [worst] = confusable_classes.items;
  if (worst) {
    sentences.push(
      `${worst.labels[0]} and ${worst.labels[1]} are taken for each other most (${(worst.share * 100).toFixed(0)} % of their ${many}). Add ${many} that show the difference, or make them one class.`,
    );
  }
  if (outliers.total > 0) {
    const examples = outliers.items.slice(0, MAX_NAMED).map(({ name }) => name);
    sentences.push(
      `${count(outliers.total, `${one} is`, `${many} are`)} unlike all others, such as ${examples.join(', ')}. Do they belong here?`,
    );
  }
  if (odd_examples.total > 0) {
    const examples = odd_examples.items.slice(0, MAX_NAMED).map(({ name, reason }) => `${name} ${reason}`);
    sentences.push(
      `${count(odd_examples.total, `${one} shows`, `${many} show`)} little or nothing: ${examples.join('; ')}. Remove what teaches nothing.`,
    );
  }
  return sentences;
}

/** How many of the labels are expected to be wrong, in words. */
function expectation({ total, expected_wrong: share = 0.5 }: DataFindings['label_errors']): string {
  if (total === 1) return `the chance that it is wrong is ${(share * 100).toFixed(0)} %`;
  const wrong = Math.max(1, Math.round(share * total));
  return wrong === 1 ? 'about one of them is expected to be wrong' : `about ${wrong} of them are expected to be wrong`;
}
