import type { Dataset, Graft } from '../client/index.js';
import { cut, formatPercent, plural } from '../terminal/format.js';
import type { Screen } from '../terminal/screen.js';

const TEXTS_TO_TRY = 6;
const TEXT_LENGTH = 400;
/** Words that are shown with what they add, of each text. */
const WORDS_TO_SHOW = 6;

/**
 * Texts that the version had not seen, with what it says and which words it says it for: some that it had right, some that it
 * had wrong.
 * @returns one of them, to try by hand
 */
export async function tryTexts(
  graft: Graft,
  screen: Screen,
  { model, version, dataset, signal }: { model: string; version: number; dataset: Dataset; signal: AbortSignal },
): Promise<string | undefined> {
  const { paint } = screen;
  const heldOut = (await graft.models.heldOut(model, version, { limit: 1000, signal }).page()).data;
  const [right, wrong] = [true, false].map((wanted) =>
    heldOut.filter(({ labels, predicted }) => labels.includes(predicted) === wanted),
  );
  const rows = [...right!.slice(0, TEXTS_TO_TRY - 2), ...wrong!.slice(0, 2)];
  const texts: string[] = [];
  for (const { sha256 } of rows) {
    texts.push((await (await graft.datasets.example(dataset.id, sha256, { signal })).text()).slice(0, TEXT_LENGTH));
  }
  if (texts.length === 0) {
    screen.line('  No text was held out to try it on.');
    return undefined;
  }
  const { results, timings } = await graft.models.predictTexts(model, texts, {
    explain: true,
    nearest: 0,
    topK: 1,
    signal,
  });
  for (const [i, { predictions, explanation }] of results.entries()) {
    const { labels } = rows[i]!;
    const { label, score } = predictions[0]!;
    const isRight = labels.includes(label);
    const said = `${label} ${formatPercent(score)}${isRight ? '' : `, and it is ${labels.join(', ')}`}`;
    screen.line(
      `${isRight ? paint.green('✓') : paint.red('✗')} ${cut(texts[i]!.replace(/\s+/g, ' '), screen.width - 2)}`,
    );
    const strongest = [...(explanation?.words ?? [])]
      .sort((a, b) => Math.abs(b.share) - Math.abs(a.share))
      .slice(0, WORDS_TO_SHOW)
      .map(({ text, share }) => {
        const [sign, colour] = share > 0 ? ['+', paint.green] : ['−', paint.red];
        return colour(`${text} ${sign}${Math.abs(share).toFixed(2)}`);
      });
    screen.line(`    ${said}${paint.dim(': ')}${strongest.join(paint.dim(', '))}`);
  }
  screen.line();
  screen.line(
    `  ${plural(texts.length, 'text')}, none of them was in the training, with the words that count most; answered in ${timings.total_ms!.toFixed(0)} ms`,
  );
  return texts[0];
}
