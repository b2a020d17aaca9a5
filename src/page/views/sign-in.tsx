/** A service with keys asks for one; it stays in this tab. */
import { useState } from 'preact/hooks';
import { Graft } from '../../client/index.js';
import { useAction } from '../core/loaded.js';
import { BASE, refused, signIn } from '../core/session.js';
import { ErrorNote } from '../parts/error-note.js';
import { Icon } from '../parts/icon.js';
import { words as w } from '../words/words.js';

export function SignIn() {
  const [entered, setEntered] = useState('');
  const { run, busy, error } = useAction(async () => {
    const key = entered.trim();
    // A key of any scopes: 403 says that it is known.
    await new Graft({ url: BASE, key }).backbones.list().catch((failure: { status?: number }) => {
      if (failure.status !== 403) throw failure;
    });
    signIn(key);
  });
  return (
    <form
      class="card signIn"
      onSubmit={(event) => {
        event.preventDefault();
        void run();
      }}
    >
      <h1>
        <Icon name="logo" /> {w.signInTitle}
      </h1>
      <p>{refused.value === 'wrong' ? w.keyWrong : w.keyWanted}</p>
      <label class="field">
        <span>{w.apiKey}</span>
        <input
          type="password"
          autoComplete="off"
          required
          value={entered}
          onInput={({ currentTarget }) => setEntered(currentTarget.value)}
        />
      </label>
      <button type="submit" class="primary wide" disabled={busy}>
        {w.signIn}
      </button>
      <ErrorNote error={error} />
      <p class="dim small">{w.keyStays}</p>
    </form>
  );
}
