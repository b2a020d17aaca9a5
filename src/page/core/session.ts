/**
 * page/core is what the page knows whatever it shows: the service and its key, where one is, what is loaded, what is being
 * sent. Not here: what is seen (parts/, views/) and what is said (words/).
 *
 * This file: the service, and the key of this tab.
 */
import { computed, signal } from '@preact/signals';
import { Graft, GraftError } from '../../client/index.js';

/** Address below which the service lies; these files are in `page/` of it. */
export const BASE = new URL('..', import.meta.url).href;
const STORED = 'graft.key';

/** The API key; it stays in this tab and goes with it. */
export const key = signal<string | undefined>(sessionStorage.getItem(STORED) ?? undefined);
/** Whether the service wants a key, or does not know this one. */
export const refused = signal<'missing' | 'wrong' | undefined>(undefined);
export const graft = computed(() => new Graft({ url: BASE, key: key.value }));

export function signIn(entered: string): void {
  sessionStorage.setItem(STORED, entered);
  refused.value = undefined;
  key.value = entered;
}

export function signOut(): void {
  sessionStorage.removeItem(STORED);
  key.value = undefined;
  refused.value = 'missing';
}

/** What every failed call is told to: a service that wants a key brings up the sign-in. @returns the error */
export function noted(error: unknown): Error {
  if (error instanceof GraftError && error.status === 401) {
    refused.value = key.value === undefined ? 'missing' : 'wrong';
  }
  return error instanceof Error ? error : new Error(String(error));
}
