import { bytes } from '../core/format.js';
import { send, upload } from '../core/uploads.js';
import { words as w } from '../words/words.js';
import { Progress } from './bars.js';
import { ErrorNote } from './error-note.js';

/** What is being sent, wherever one looks meanwhile. */
export function UploadBar() {
  const now = upload.value;
  if (!now) return null;
  const { sending, state, sent, total, error, cancel } = now;
  const name = sending.name || w.photos;
  return (
    <section class="card upload" aria-label={w.uploadOf(name)}>
      {state === 'failed' ? (
        <>
          <h2>{w.uploadFailed(name)}</h2>
          <ErrorNote error={error} />
          <p class="row">
            <button type="button" class="primary" onClick={() => void send(sending)}>
              {w.sendAgain}
            </button>
            <button type="button" onClick={cancel}>
              {w.dismiss}
            </button>
          </p>
        </>
      ) : (
        <>
          <p class="row spread" role="status">
            <b>{state === 'sending' ? w.sending(name) : w.understanding(name)}</b>
            <span class="dim">{w.sentOf(bytes(sent), bytes(total))}</span>
          </p>
          <Progress share={state === 'sending' ? sent / Math.max(1, total) : undefined} label={w.uploadOf(name)} />
          <p class="row end">
            <button type="button" class="small" onClick={cancel}>
              {w.cancelUpload}
            </button>
          </p>
        </>
      )}
    </section>
  );
}
