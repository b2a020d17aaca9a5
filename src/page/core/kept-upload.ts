/**
 * What is being sent is kept in this browser until it has arrived, so that after a reload it begins anew with one press. Large
 * sets are not: copying them would take longer than choosing them again.
 */
import type { Sending } from './drops.js';

const MOST_BYTES = 256 * 1024 * 1024;
const STORE = 'uploads';
const ONLY = 'latest';
/** In this tab: that there was one, also where it was too large to be kept. */
const MARK = 'graft.upload';

/** The name of an upload that a reload broke off; undefined: there was none. */
export function interruptedName(): string | undefined {
  return sessionStorage.getItem(MARK) ?? undefined;
}

export async function keepUpload(sending: Sending): Promise<void> {
  sessionStorage.setItem(MARK, sending.name);
  const bytes = sending.files.reduce((sum, { content }) => sum + content.size, 0);
  if (bytes <= MOST_BYTES) await change((store) => store.put(sending, ONLY));
}

/** It has arrived, or nobody wants it any more. */
export async function forgetUpload(): Promise<void> {
  sessionStorage.removeItem(MARK);
  await change((store) => store.delete(ONLY));
}

/** What a reload broke off; undefined: it was not kept. */
export async function keptUpload(): Promise<Sending | undefined> {
  return change((store) => store.get(ONLY) as IDBRequest<Sending | undefined>);
}

/** Where a browser keeps nothing, nothing is kept. */
async function change<T>(act: (store: IDBObjectStore) => IDBRequest<T>): Promise<T | undefined> {
  try {
    const opening = indexedDB.open('graft', 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
    const database = await done(opening);
    try {
      return await done(act(database.transaction(STORE, 'readwrite').objectStore(STORE)));
    } finally {
      database.close();
    }
  } catch {
    return undefined;
  }
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
