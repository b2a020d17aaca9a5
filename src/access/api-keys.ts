/**
 * access/ says who a key belongs to. Where in a request a key is found, and how it is refused, is a dialect's (http/).
 */
import { createHash, createHmac, randomBytes } from 'node:crypto';
import type { ApiKey } from '../config.js';
import { AppError } from '../errors.js';

/** Whose key it is. */
export interface Identity {
  tenant: string;
  /** A name for the key, from which it cannot be found: 16 hexadecimal digits. */
  by: string;
}

/** Everybody, where there are no keys. */
export const LOCAL: Identity = { tenant: 'default', by: 'local' };

/** Whom a key belongs to. @throws AppError `unauthorized`; `hint` says how a key is sent */
export type Identify = (key: string | undefined, hint: string) => Identity;

/**
 * Keys are known by their SHA-256. One look-up, however many there are, and it says nothing by its time: what is looked up
 * is the digest under a secret of this process (HMAC), so that nobody outside can choose how much of it agrees with that of
 * a real key. Without keys everybody is `LOCAL`.
 */
export function apiKeys(keys: ApiKey[]): Identify {
  const secret = randomBytes(32);
  const blind = (digest: Buffer) => createHmac('sha256', secret).update(digest).digest('base64');
  const known = new Map(
    keys.map(({ tenant, sha256 }): [string, Identity] => [
      blind(Buffer.from(sha256, 'hex')),
      { tenant, by: createHash('sha256').update(sha256).digest('hex').slice(0, 16) },
    ]),
  );
  return (key, hint) => {
    if (known.size === 0) return LOCAL;
    const found = known.get(
      blind(
        createHash('sha256')
          .update(key ?? '')
          .digest(),
      ),
    );
    if (key !== undefined && found !== undefined) return found;
    throw new AppError(
      'unauthorized',
      key === undefined ? `This needs an API key: send it as ${hint}.` : 'This API key is not known.',
    );
  };
}
