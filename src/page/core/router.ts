/** Where one is: the part of the address behind `#/`. The back button, links and reloads need nothing more. */
import { signal } from '@preact/signals';
import { signIn } from './session.js';

/** Parts of the path; empty at the start. */
export const path = signal<string[]>([]);

/** The address of a view. */
export function to(...parts: (string | number)[]): string {
  return `#/${parts.map((part) => encodeURIComponent(part)).join('/')}`;
}

export function go(...parts: (string | number)[]): void {
  location.hash = to(...parts);
}

/** Another view in place of this one, which the back button passes over. */
export function replace(...parts: (string | number)[]): void {
  history.replaceState(null, '', to(...parts));
  read();
}

/** Follow the address from now on. */
export function followAddress(): void {
  addEventListener('hashchange', read);
  read();
}

function read(): void {
  const { hash } = location;
  // A key in the address is taken at once and leaves it, before it is seen or kept in the history.
  if (hash.startsWith('#key=')) {
    signIn(decodeURIComponent(hash.slice('#key='.length)));
    history.replaceState(null, '', '#/');
  }
  const parts = location.hash.replace(/^#\/?/, '').split('/').filter(Boolean).map(decoded);
  if (parts.join('/') !== path.value.join('/')) path.value = parts;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
