import { percent } from '../core/format.js';
import { words as w } from '../words/words.js';

export interface AccuracyFigures {
  accuracy: number | null;
  accuracy_interval?: number[] | null | undefined;
  baseline_accuracy?: number | null | undefined;
}

/** How often it is right, how sure that is, and what guessing would get: as a number and as a line. */
export function Accuracy({ figures }: { figures: AccuracyFigures }) {
  const { accuracy, accuracy_interval, baseline_accuracy } = figures;
  if (accuracy === null) return <p class="dim">{w.accuracyUnknown}</p>;
  const [low, high] = accuracy_interval ?? [];
  const sure = low !== undefined && high !== undefined;
  return (
    <div class="accuracy">
      <p>
        <span class="figure">{percent(accuracy)}</span> {w.right}
      </p>
      {sure && (
        <div class="scale" aria-hidden="true">
          <span class="range" style={{ left: `${low * 100}%`, width: `${(high - low) * 100}%` }} />
          <span class="point" style={{ left: `${accuracy * 100}%` }} />
          {typeof baseline_accuracy === 'number' && (
            <span class="guess" style={{ left: `${baseline_accuracy * 100}%` }} />
          )}
        </div>
      )}
      <p class="dim small">
        {sure && w.interval(Math.floor(low * 100), Math.ceil(high * 100))}
        {typeof baseline_accuracy === 'number' && ` ${w.guessing(Math.round(baseline_accuracy * 100))}`}
      </p>
    </div>
  );
}
