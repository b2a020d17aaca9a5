import { readJson, type Storage, writeJson } from '../storage/contract.js';

const HOUR_MS = 3_600_000;

/**
 * When keys were last used, to the hour: a key costs one write an hour, and no request waits for it.
 * They lie beside the tenants: `key-uses/<by>` → `{last_used_at}`.
 */
export class LastUses {
  readonly #storage: Storage;
  /** The hour that was written, by key. */
  readonly #written = new Map<string, number>();

  constructor({ storage }: { storage: Storage }) {
    this.#storage = storage;
  }

  /** A key is used now. */
  note(by: string): void {
    const hour = Math.floor(Date.now() / HOUR_MS);
    if (this.#written.get(by) === hour) return;
    this.#written.set(by, hour);
    const last_used_at = new Date(hour * HOUR_MS).toISOString();
    void writeJson(this.#storage, `key-uses/${by}`, { last_used_at }).catch(() => this.#written.delete(by));
  }

  /** RFC 3339; undefined: never. */
  async of(by: string): Promise<string | undefined> {
    return (await readJson<{ last_used_at: string }>(this.#storage, `key-uses/${by}`))?.last_used_at;
  }
}
