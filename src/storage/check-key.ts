/** What every driver refuses before it does anything. */
import type { ByteRange } from './contract.js';

const KEY = /^[A-Za-z0-9._-]+(?:\/[A-Za-z0-9._-]+)*$/;
/** A part `.` or `..`. */
const DOTS = /(?:^|\/)\.{1,2}(?:\/|$)/;

/** @throws TypeError for what is no key, such as one that leads out of its folder */
export function checkKey(key: string): void {
  const isKey =
    KEY.test(key) && !DOTS.test(key) && (key.length < 256 || key.split('/').every(({ length }) => length < 256));
  if (!isKey) throw new TypeError(`Not a storage key: ${JSON.stringify(key)}`);
}

/** @throws TypeError */
export function checkRange({ start, end }: ByteRange): void {
  if (Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= 0 && start <= end) return;
  throw new TypeError(`Not a range of bytes: ${start} to ${end}`);
}
