import { createHash, randomBytes } from 'node:crypto';
import { type Scope, SCOPES, TENANT_SCOPES } from './scopes.js';

/** An API key as it is kept: never itself, only its SHA-256. */
export interface ApiKey {
  tenant: string;
  /** Hexadecimal. */
  sha256: string;
  /** For people; the keys of the setting have none. */
  name?: string;
  scopes: Scope[];
  /** The only models that it is for; undefined: all of its tenant. */
  models?: string[];
  /** RFC 3339. */
  created_at?: string;
}

const TENANT = '[a-z0-9][a-z0-9-]{0,62}';
const SCOPE = `(?:${Object.keys(SCOPES).join('|')})`;
const ONE = `${TENANT}:[0-9a-f]{64}(?::${SCOPE}(?:\\+${SCOPE})*)?`;

/** What the setting looks like: `tenant:sha256` or `tenant:sha256:scope+scope`, separated by commas. */
export const API_KEYS_PATTERN = `^\\s*(?:${ONE}\\s*(?:,\\s*|$))*$`;
export const TENANT_PATTERN = `^${TENANT}$`;

/** Keys of a setting that matches `API_KEYS_PATTERN`. */
export function parseApiKeys(text: string): ApiKey[] {
  return text
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '')
    .map((one) => {
      const [tenant, sha256, scopes] = one.split(':') as [string, string, string?];
      return { tenant, sha256, scopes: scopes === undefined ? TENANT_SCOPES : (scopes.split('+') as Scope[]) };
    });
}

/** A new key, and what of it is kept. */
export function newKey(): { key: string; sha256: string } {
  const key = `graft_${randomBytes(32).toString('base64url')}`;
  return { key, sha256: createHash('sha256').update(key).digest('hex') };
}

/** What stands for a key in lists and records, and from which it cannot be found: 16 hexadecimal digits. */
export function byOf({ sha256 }: Pick<ApiKey, 'sha256'>): string {
  return createHash('sha256').update(sha256).digest('hex').slice(0, 16);
}
