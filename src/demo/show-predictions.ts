import type { Prediction } from '../client/index.js';
import { bar } from '../terminal/bar.js';
import { cut, formatPercent } from '../terminal/format.js';
import type { Screen } from '../terminal/screen.js';
import type { ChosenPhoto } from './choose-photos.js';

const LABEL_WIDTH = 20;
const BAR_WIDTH = 30;

/** Each photo with a bar per label, and whether the first is right. */
export function showPredictions({ line, paint, width }: Screen, photos: ChosenPhoto[], { results }: Prediction): void {
  results.forEach(({ predictions }, i) => {
    const { name, label } = photos[i]!;
    const right = label === undefined ? undefined : predictions[0]?.label === label;
    const mark = right === undefined ? ' ' : right ? paint.green('✓') : paint.red('✗');
    line(`${mark} ${paint.bold(cut(name, width - 2))}`);
    predictions.forEach((prediction, rank) => {
      const colour =
        prediction.label === label ? paint.green : rank === 0 && label !== undefined ? paint.red : paint.dim;
      const text = cut(prediction.label, LABEL_WIDTH).padEnd(LABEL_WIDTH);
      line(`    ${text} ${colour(bar(prediction.score, BAR_WIDTH))} ${formatPercent(prediction.score).padStart(7)}`);
    });
  });
}
