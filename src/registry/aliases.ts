import { AppError } from '../errors.js';
import { readJson, type Storage, writeJson } from '../storage/contract.js';
import { aliasesKey, revisionKey } from './keys.js';
import { isDeleted } from './retire-version.js';
import type { Versions } from './versions.js';

export interface Aliases {
  /** 0 where none was ever set. */
  revision: number;
  /** Who wrote this revision: a key's name, or `local` where there are no keys; null where there is none. */
  by: string | null;
  aliases: Map<string, number>;
}

export interface SetAlias {
  tenant: string;
  model: string;
  alias: string;
  /** null: remove it. */
  version: number | null;
  /** The version that the caller believes it points at (null: none); undefined: whatever it is. */
  expected?: number | null;
  /** Who does it. */
  by: string;
}

/** What is stored as one revision. */
interface Revision {
  format: 1;
  by: string;
  at: string;
  aliases: [string, number][];
}

/** How many revisions of the aliases stay, with the one that holds. */
const OLD_REVISIONS = 20;
/** Younger ones stay, too: a slow writer must find the name of its next revision taken, or its change would be lost. */
const YOUNG_MS = 3600_000;

/** The aliases that hold. */
export async function readAliases(storage: Storage, tenant: string, model: string): Promise<Aliases> {
  const folder = aliasesKey(tenant, model);
  for (const name of (await storage.list(folder)).reverse()) {
    const stored = await readJson<Revision>(storage, `${folder}/${name}`);
    if (stored) return { revision: Number.parseInt(name, 10), by: stored.by, aliases: new Map(stored.aliases) };
  }
  return { revision: 0, by: null, aliases: new Map() };
}

/**
 * Point an alias at a version, or remove it, by compare-and-swap.
 * @throws AppError `alias_conflict`, `alias_not_found`, `version_not_found`, `model_not_found`
 */
export async function setAlias(
  storage: Storage,
  versions: Versions,
  options: SetAlias,
): Promise<{ previous: number | null }> {
  const { tenant, model, alias, version, expected, by } = options;
  if (version !== null) await versions.get(tenant, model, version);
  for (;;) {
    const { revision, aliases } = await readAliases(storage, tenant, model);
    // One that points at a version that was deleted meanwhile can be removed all the same.
    if (version === null && !aliases.has(alias)) {
      await versions.latest(tenant, model);
      throw aliasNotFound(model, alias, aliases);
    }
    const previous = aliases.get(alias) ?? null;
    if (expected !== undefined && expected !== previous) {
      throw new AppError(
        'alias_conflict',
        `'${alias}' of '${model}' points at ${previous === null ? 'nothing' : `version ${previous}`}, not at ${expected === null ? 'nothing' : `version ${expected}`} as this request expects. Look again, then decide.`,
        { details: { model, alias, current: previous, expected } },
      );
    }
    if (version === null) aliases.delete(alias);
    else aliases.set(alias, version);
    if (!(await write(storage, tenant, model, { revision: revision + 1, by, aliases }))) continue; // somebody was faster
    if (version !== null && (await isDeleted(storage, tenant, model, version))) {
      await takeBack(storage, { ...options, version, previous });
      throw new AppError('version_not_found', `Version ${version} of '${model}' was deleted in this moment.`, {
        details: { model, version },
      });
    }
    await forgetRevisions(storage, tenant, model);
    return { previous };
  }
}

/** Remove every alias of a model. A revision says so: were they deleted, an earlier one might hold meanwhile. */
export async function clearAliases(storage: Storage, tenant: string, model: string, by: string): Promise<void> {
  for (;;) {
    const { revision, aliases } = await readAliases(storage, tenant, model);
    if (aliases.size === 0) return;
    if (await write(storage, tenant, model, { revision: revision + 1, by, aliases: new Map() })) return;
  }
}

/** @throws AppError `version_in_use` when an alias points at it */
export async function refuseInUse(storage: Storage, tenant: string, model: string, version: number): Promise<void> {
  const { aliases } = await readAliases(storage, tenant, model);
  const users = [...aliases].filter(([, target]) => target === version).map(([alias]) => alias);
  if (users.length === 0) return;
  throw new AppError(
    'version_in_use',
    `Version ${version} of '${model}' is what ${users.map((alias) => `'${alias}'`).join(' and ')} points at. Move or delete the alias first.`,
    { details: { model, version, aliases: users } },
  );
}

export function aliasNotFound(model: string, alias: string, aliases: Map<string, number>): AppError {
  const known = [...aliases.keys()];
  return new AppError(
    'alias_not_found',
    `Model '${model}' has no alias '${alias}'. ${known.length > 0 ? `It has: ${known.join(', ')}.` : 'It has none.'}`,
    { details: { model, alias, known } },
  );
}

/** Undo an alias whose version was deleted in the same moment, unless somebody has moved it since. */
async function takeBack(
  storage: Storage,
  { tenant, model, alias, version, previous, by }: SetAlias & { version: number; previous: number | null },
): Promise<void> {
  for (;;) {
    const { revision, aliases } = await readAliases(storage, tenant, model);
    if (aliases.get(alias) !== version) return;
    if (previous === null || (await isDeleted(storage, tenant, model, previous))) aliases.delete(alias);
    else aliases.set(alias, previous);
    if (await write(storage, tenant, model, { revision: revision + 1, by, aliases })) return;
  }
}

/** @returns whether nobody else has written this revision */
async function write(
  storage: Storage,
  tenant: string,
  model: string,
  { revision, by, aliases }: { revision: number; by: string; aliases: Map<string, number> },
): Promise<boolean> {
  const stored: Revision = { format: 1, by, at: new Date().toISOString(), aliases: [...aliases] };
  return (await writeJson(storage, revisionKey(tenant, model, revision), stored, { ifAbsent: true })).created;
}

/** The oldest first, one by one: the highest that is left always holds. */
async function forgetRevisions(storage: Storage, tenant: string, model: string): Promise<void> {
  const folder = aliasesKey(tenant, model);
  for (const name of (await storage.list(folder)).slice(0, -OLD_REVISIONS)) {
    const found = await storage.head(`${folder}/${name}`);
    if (found && Date.now() - found.modifiedAt.getTime() < YOUNG_MS) return; // those after it are younger
    await storage.delete(`${folder}/${name}`);
  }
}
