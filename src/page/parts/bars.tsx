import { percent } from '../core/format.js';

/** Labels with their probabilities, best first. */
export function Bars({ scores }: { scores: { label: string; score: number }[] }) {
  return (
    <ol class="bars">
      {scores.map(({ label, score }, place) => (
        <li key={label} class={place === 0 ? 'best' : ''}>
          <span class="label">{label}</span>
          <span class="value">{percent(score)}</span>
          <span class="track" aria-hidden="true">
            <span class="fill" style={{ width: `${Math.max(0.5, score * 100)}%` }} />
          </span>
        </li>
      ))}
    </ol>
  );
}

/** How far something is. @param share 0 to 1; undefined: nobody knows */
export function Progress({ share, label }: { share: number | undefined; label: string }) {
  return <progress aria-label={label} max={1} {...(share !== undefined && { value: share })} />;
}
