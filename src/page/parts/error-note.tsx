import { GraftError } from '../../client/index.js';
import { words as w } from '../words/words.js';

interface Named {
  name: string;
  reason: string;
}

/** An error of the API as its sentence, with what it names, and a way on. */
export function ErrorNote({ error, again }: { error: Error | undefined; again?: (() => void) | undefined }) {
  if (!error) return null;
  const known = error instanceof GraftError ? error : undefined;
  const refused = known?.details.refused as Named[] | undefined;
  return (
    <div class="note bad" role="alert">
      <p class="lines">{known?.code === 'unreachable' ? w.unreachable : error.message}</p>
      {refused && refused.length > 0 && (
        <ul class="plain small">
          {refused.slice(0, 8).map(({ name, reason }) => (
            <li key={name}>
              <b>{name}</b> {reason}
            </li>
          ))}
          {refused.length > 8 && <li>{w.andMore(refused.length - 8)}</li>}
        </ul>
      )}
      <p class="row">
        {again && (
          <button type="button" class="small" onClick={again}>
            {w.tryAgain}
          </button>
        )}
        {known?.requestId && <span class="dim small">{w.requestId(known.requestId)}</span>}
      </p>
    </div>
  );
}
