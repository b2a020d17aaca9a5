import { ulid } from 'ulid';

export type IdKind = 'ds' | 'job' | 'evt';

/** An opaque id such as `job_01k9…`: sorted by time, with 80 random bits. */
export function newId(kind: IdKind): string {
  return `${kind}_${ulid().toLowerCase()}`;
}
