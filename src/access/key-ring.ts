import { createHash, createHmac, randomBytes } from 'node:crypto';
import { AppError } from '../errors.js';
import { type ApiKey, byOf } from './api-key.js';
import { ALL_SCOPES, type Scope } from './scopes.js';

/** Whose key it is, and what it may do. */
export interface Identity {
  tenant: string;
  /** What stands for the key: 16 hexadecimal digits. */
  by: string;
  /** Of a key of the key file. */
  name?: string;
  scopes: ReadonlySet<Scope>;
  /** The only models that it is for; undefined: all of the tenant. */
  models?: ReadonlySet<string>;
}

/** Everybody, where there are no keys. */
export const LOCAL: Identity = { tenant: 'default', by: 'local', scopes: new Set(ALL_SCOPES) };

/** Who may enter. */
export interface Access {
  /** There are no keys: whoever reaches the service may do everything. */
  readonly open: boolean;
  /** Whom a key belongs to. @throws AppError `unauthorized`; `hint` says how a key is sent */
  identify(key: string | undefined, hint: string): Identity;
}

/**
 * The keys of a service. They are known by their SHA-256. One look-up, however many there are, and it says nothing by its
 * time: what is looked up is the digest under a secret of this process (HMAC), so that nobody outside can choose how much of
 * it agrees with that of a real key.
 */
export class KeyRing implements Access {
  readonly #secret = randomBytes(32);
  readonly #onUse: ((by: string) => void) | undefined;
  /** Undefined: there are no keys. Without a single one that is left, nobody enters. */
  #known: Map<string, Identity> | undefined;
  #tenants = 1;

  /** @param options keys: undefined where there are none; onUse: told of each use of a key */
  constructor({ keys, onUse }: { keys: ApiKey[] | undefined; onUse?: (by: string) => void }) {
    this.#onUse = onUse;
    this.replace(keys);
  }

  get open(): boolean {
    return this.#known === undefined;
  }

  /** How many tenants have a key. */
  get tenants(): number {
    return this.#tenants;
  }

  /** From now on these keys hold, and no others. */
  replace(keys: ApiKey[] | undefined): void {
    this.#tenants = new Set(keys?.map(({ tenant }) => tenant)).size || 1;
    this.#known = keys && new Map(keys.map((key) => [this.#blind(Buffer.from(key.sha256, 'hex')), identityOf(key)]));
  }

  identify(key: string | undefined, hint: string): Identity {
    if (this.#known === undefined) return LOCAL;
    const found = this.#known.get(
      this.#blind(
        createHash('sha256')
          .update(key ?? '')
          .digest(),
      ),
    );
    if (key === undefined || found === undefined) {
      throw new AppError(
        'unauthorized',
        key === undefined ? `This needs an API key: send it as ${hint}.` : 'This API key is not known.',
      );
    }
    this.#onUse?.(found.by);
    return found;
  }

  #blind(digest: Buffer): string {
    return createHmac('sha256', this.#secret).update(digest).digest('base64');
  }
}

function identityOf(key: ApiKey): Identity {
  const { tenant, name, scopes, models } = key;
  return {
    tenant,
    by: byOf(key),
    scopes: new Set(scopes),
    ...(name !== undefined && { name }),
    ...(models && { models: new Set(models) }),
  };
}
