import { AppError } from '../errors.js';

export interface Addresses {
  /** Where to ask for the file, in this order. */
  urls: URL[];
  /** A host that was given on purpose, and may be asked without encryption: the checksum is checked anyway. */
  trustedHost?: string;
}

/** @throws AppError `invalid_request` when it is not an http(s) address, or carries a password */
export function parseAddress(address: string): URL {
  const fault = (why: string) => new AppError('invalid_request', `The address ${address} cannot be used: ${why}.`);
  if (!URL.canParse(address)) throw fault('it is not an address');
  const url = new URL(address);
  if (url.username !== '' || url.password !== '') {
    url.username = '';
    url.password = '';
    throw new AppError('invalid_request', `The address ${url} must not carry a user name or password.`);
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw fault('only https and http are understood');
  return url;
}

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/**
 * Whether an address may be asked, also where a server sends us on to it.
 * @throws AppError `download_failed` when it may not
 */
export function checkAddress(url: URL, trustedHost?: string): void {
  const isPlainAllowed = LOOPBACK.test(url.hostname) || url.host === trustedHost;
  if (url.protocol === 'https:' || (url.protocol === 'http:' && isPlainAllowed)) {
    if (url.username === '' && url.password === '') return;
  }
  url.username = '';
  url.password = '';
  throw new AppError('download_failed', `A server sent us to ${url}, which is not asked: only https is.`);
}

/** Whether what a user gave is an address, and not a file. */
export function isAddress(text: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(text);
}
