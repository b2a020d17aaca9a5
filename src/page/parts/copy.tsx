import { useState } from 'preact/hooks';
import { words as w } from '../words/words.js';
import { Icon } from './icon.js';

/** Copies a text; where the browser does not let it, the text can be marked by hand. */
export function CopyButton({ text, label }: { text: string; label: string }) {
  const [done, setDone] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setDone(true);
      setTimeout(() => setDone(false), 2000);
    } catch {
      setDone(false);
    }
  };
  return (
    <button type="button" class="small" onClick={copy} aria-label={label}>
      <Icon name={done ? 'check' : 'copy'} /> <span aria-live="polite">{done ? w.copied : w.copy}</span>
    </button>
  );
}
