import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { useAction } from '../core/loaded.js';
import { words as w } from '../words/words.js';
import { ErrorNote } from './error-note.js';

/** Asks before something is done that cannot be undone, or asks for what it needs. */
export function Confirm({
  title,
  children,
  action,
  danger,
  onDone,
  onClose,
}: {
  title: string;
  children?: ComponentChildren;
  action: string;
  danger?: boolean;
  onDone: () => Promise<unknown>;
  onClose: () => void;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  const { run, busy, error } = useAction(async () => {
    await onDone();
    onClose();
  });
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} onClose={onClose} aria-labelledby="ask">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void run();
        }}
      >
        <h2 id="ask">{title}</h2>
        {children}
        <ErrorNote error={error} />
        <p class="row end">
          <button type="button" onClick={onClose}>
            {w.cancel}
          </button>
          <button type="submit" class={danger ? 'danger' : 'primary'} disabled={busy}>
            {action}
          </button>
        </p>
      </form>
    </dialog>
  );
}
