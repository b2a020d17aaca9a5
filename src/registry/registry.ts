/**
 * registry/ keeps models: numbered, immutable versions and the aliases that point at them.
 *
 *   models/<name>/versions/<n>/claim.json      which job has the number n; `ifAbsent`, so a number has one owner
 *   models/<name>/versions/<n>/files/<sha256>  the version's files, named by content
 *   models/<name>/versions/<n>/manifest.json   written last: the version exists exactly when this does
 *   models/<name>/versions/<n>/deleted.json    a number is never used twice
 *   models/<name>/aliases/<revision>.json      all aliases at that revision; the highest revision holds
 *   jobs/<id>/version.json                     which number the job's version has; `ifAbsent`, so a job has one version.
 *                                              null: it has ended without one and gets none
 *
 * Publishing is idempotent: two workers that run one job, or one that runs it again after a crash, end with one version.
 */
import { createHash } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { LRUCache } from 'lru-cache';
import { AppError } from '../errors.js';
import type { VersionManifest } from '../schemas/versions.js';
import { type ByteRange, readJson, type Storage, type StoredObject, writeJson } from '../storage/contract.js';

/** A version as a client names it. */
export type VersionReference = { version: number } | { alias: string } | 'latest';

export interface Aliases {
  revision: number;
  aliases: Map<string, number>;
}

/** The number that a job's version has, or that it gets none. */
interface Claimed {
  version: number | null;
}

export interface Publication {
  tenant: string;
  job: string;
  model: string;
  /** The manifest, but for what publishing decides. */
  manifest: Omit<VersionManifest, 'version' | 'files' | 'created_at'>;
  files: Map<string, Uint8Array | string>;
}

/** How many revisions of the aliases stay, with the one that holds. */
const OLD_REVISIONS = 20;
/** Younger ones stay, too: a slow writer must find the name of its next revision taken, or its change would be lost. */
const YOUNG_MS = 3600_000;

/** A manifest of ten classes takes about 2 KB. */
const MAX_MANIFESTS = 20_000;

export class Registry {
  readonly #storage: Storage;
  /** Of models that were asked for, the newest version then. */
  readonly #newest = new LRUCache<string, number>({ max: MAX_MANIFESTS });
  readonly #manifests = new LRUCache<string, { etag: string; manifest: VersionManifest }>({ max: MAX_MANIFESTS });

  constructor(options: { storage: Storage }) {
    this.#storage = options.storage;
  }

  /**
   * Publish the version of a job; the same one, however often it is called.
   * @returns the manifest that holds, which may be another attempt's
   * @throws AppError `version_not_found` when it was published before, and deleted
   */
  async publish(publication: Publication): Promise<VersionManifest> {
    const { tenant, job, model } = publication;
    const version = await this.#claim(tenant, model, job);
    const folder = versionKey(tenant, model, version);
    const published = await readJson<VersionManifest>(this.#storage, `${folder}/manifest.json`);
    if (published) return published;
    if (await this.#isDeleted(tenant, model, version)) {
      throw new AppError('version_not_found', `Version ${version} of '${model}', which this job made, was deleted.`, {
        details: { model, version },
      });
    }
    const files: VersionManifest['files'] = [];
    for (const [path, content] of publication.files) {
      const bytes = Buffer.from(content as Uint8Array);
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      await this.#storage.put(`${folder}/files/${sha256}`, bytes, { ifAbsent: true });
      files.push({ path, bytes: bytes.length, sha256 });
    }
    const manifest: VersionManifest = {
      ...publication.manifest,
      version,
      created_at: new Date().toISOString(),
      files,
    };
    const { created } = await writeJson(this.#storage, `${folder}/manifest.json`, manifest, { ifAbsent: true });
    // The job may have ended without this version while a late attempt was here; see `settle`.
    if (await this.#isDeleted(tenant, model, version)) {
      await this.#storage.delete(`${folder}/manifest.json`);
      await this.#storage.delete(`${folder}/files`);
      throw noVersion(publication);
    }
    return created ? manifest : (await readJson<VersionManifest>(this.#storage, `${folder}/manifest.json`))!;
  }

  /** The version that a job published, if it did. */
  async publishedBy(tenant: string, model: string, job: string): Promise<VersionManifest | undefined> {
    const version = (await readJson<Claimed>(this.#storage, claimKey(tenant, job)))?.version;
    const manifest = version ? await this.#manifest(tenant, model, version) : undefined;
    return manifest?.job === job ? manifest : undefined;
  }

  /**
   * Take away what the attempts of a job that has ended left behind, and keep late ones from publishing.
   * A version that counts keeps what its manifest names; of any other nothing stays but its number.
   */
  async settle(options: { tenant: string; model: string; job: string; succeeded: boolean }): Promise<void> {
    const { tenant, model, job, succeeded } = options;
    const key = claimKey(tenant, job);
    if (!succeeded && (await writeJson(this.#storage, key, { version: null }, { ifAbsent: true })).created) return;
    const version = (await readJson<Claimed>(this.#storage, key))?.version;
    if (version === null || version === undefined) return;
    const folder = versionKey(tenant, model, version);
    if ((await readJson<{ job: string }>(this.#storage, `${folder}/claim.json`))?.job !== job) return;
    const manifest = await this.#manifest(tenant, model, version);
    if (succeeded && manifest) {
      const named = new Set(manifest.files.map(({ sha256 }) => sha256));
      for (const file of await this.#storage.list(`${folder}/files`)) {
        if (!named.has(file)) await this.#storage.delete(`${folder}/files/${file}`);
      }
    } else if (!succeeded) {
      await this.#retire(tenant, model, version);
    }
  }

  /** Names of models that have a version, sorted; those after the name `after`, and no more than `most` of them. */
  async models(tenant: string, { after = '', most = Number.POSITIVE_INFINITY } = {}): Promise<string[]> {
    const found: string[] = [];
    for (const name of await this.#storage.list(`tenants/${tenant}/models`, { after })) {
      if (found.length >= most) break;
      if (await this.#exists(tenant, name)) found.push(name);
    }
    return found;
  }

  /** @throws AppError `quota_exceeded` where `model` would be one more than `most` */
  async refuseMoreThan(most: number, tenant: string, model: string): Promise<void> {
    // Folders of deleted models stay, so that there may be fewer models than names.
    if ((await this.#storage.list(`tenants/${tenant}/models`)).length < most) return;
    if ((await this.#exists(tenant, model)) || (await this.models(tenant, { most })).length < most) return;
    throw new AppError('quota_exceeded', `There are ${most} models already, the most (MAX_MODELS). Delete some.`, {
      details: { most },
    });
  }

  /** Numbers of a model's versions, newest first; empty where there is no such model. */
  async versions(tenant: string, model: string): Promise<number[]> {
    const numbers = await this.#numbers(tenant, model);
    const present = await Promise.all(
      numbers.map((n) => this.#storage.head(`${versionKey(tenant, model, n)}/manifest.json`)),
    );
    return numbers.filter((_, index) => present[index] !== undefined);
  }

  /** @throws AppError `model_not_found`, `version_not_found` or `alias_not_found` */
  async resolve(tenant: string, model: string, reference: VersionReference): Promise<VersionManifest> {
    if (reference === 'latest') return this.#latest(tenant, model);
    if ('alias' in reference) {
      const { aliases } = await this.aliases(tenant, model);
      const version = aliases.get(reference.alias);
      if (version === undefined) {
        await this.resolve(tenant, model, 'latest');
        const known = [...aliases.keys()];
        throw new AppError(
          'alias_not_found',
          `Model '${model}' has no alias '${reference.alias}'. ${known.length > 0 ? `It has: ${known.join(', ')}.` : 'It has none.'}`,
          { details: { model, alias: reference.alias, known } },
        );
      }
      return this.resolve(tenant, model, { version });
    }
    const manifest = await this.#manifest(tenant, model, reference.version);
    if (manifest) return manifest;
    const versions = await this.versions(tenant, model);
    if (versions.length === 0) throw modelNotFound(model);
    throw new AppError(
      'version_not_found',
      `Model '${model}' has no version ${reference.version}. Its newest is ${versions[0]}.`,
      { details: { model, version: reference.version, latest: versions[0] } },
    );
  }

  /**
   * What a reference named when it was last resolved, told from memory alone; undefined where nothing is known of it. What
   * it names now only `resolve` tells, with the same object where nothing has changed: work may begin on this meanwhile.
   */
  recall(tenant: string, model: string, reference: VersionReference): VersionManifest | undefined {
    if (reference !== 'latest' && 'alias' in reference) return undefined;
    const version = reference === 'latest' ? this.#newest.get(modelKey(tenant, model)) : reference.version;
    if (version === undefined) return undefined;
    return this.#manifests.get(`${versionKey(tenant, model, version)}/manifest.json`)?.manifest;
  }

  /** @throws AppError `version_damaged` if the manifest names a file that is not there */
  async open(tenant: string, manifest: VersionManifest, path: string, range?: ByteRange): Promise<StoredObject> {
    const file = manifest.files.find((other) => other.path === path);
    const key = file && `${versionKey(tenant, manifest.model, manifest.version)}/files/${file.sha256}`;
    const object = key && (await this.#storage.get(key, range));
    if (object) return object;
    throw damaged(manifest, path);
  }

  /** A whole file, checked against its digest. @throws AppError `version_damaged` */
  async read(tenant: string, manifest: VersionManifest, path: string): Promise<Buffer> {
    const bytes = await buffer((await this.open(tenant, manifest, path)).stream);
    const { sha256 } = manifest.files.find((file) => file.path === path)!;
    if (createHash('sha256').update(bytes).digest('hex') !== sha256) throw damaged(manifest, path);
    return bytes;
  }

  /**
   * Delete a version; one whose deletion was broken off is deleted to the end. The mark is written before aliases are looked at for the last time, and `setAlias` looks for the mark
   * after it has written: of the two at least one sees the other, so that no alias is left without its version.
   * @throws AppError `version_not_found`, or `version_in_use` when an alias points at it
   */
  async deleteVersion(tenant: string, model: string, version: number): Promise<void> {
    if (!(await this.#manifest(tenant, model, version)) && (await this.#isDeleted(tenant, model, version))) {
      await this.#storage.delete(`${versionKey(tenant, model, version)}/files`);
    }
    await this.resolve(tenant, model, { version });
    await this.#refuseInUse(tenant, model, version);
    const mark = `${versionKey(tenant, model, version)}/deleted.json`;
    await writeJson(this.#storage, mark, { at: new Date().toISOString() });
    try {
      await this.#refuseInUse(tenant, model, version);
    } catch (error) {
      await this.#storage.delete(mark);
      throw error;
    }
    await this.#retire(tenant, model, version);
  }

  /**
   * Delete a model with all its versions and aliases. Its numbers are not used again: clients may have them in caches, where
   * files of a version are kept for a year.
   * @throws AppError `model_not_found`
   */
  async deleteModel(tenant: string, model: string): Promise<void> {
    await this.resolve(tenant, model, 'latest');
    const aliases = `${modelKey(tenant, model)}/aliases`;
    await this.#storage.delete(aliases);
    // The newest last: until then it is what is served.
    for (const version of (await this.versions(tenant, model)).reverse()) await this.#retire(tenant, model, version);
    await this.#storage.delete(aliases); // one that was set meanwhile
  }

  /** The aliases that hold; revision 0 where none was ever set. */
  async aliases(tenant: string, model: string): Promise<Aliases> {
    const revisions = await this.#storage.list(`${modelKey(tenant, model)}/aliases`);
    for (const name of revisions.reverse()) {
      const stored = await readJson<{ aliases: [string, number][] }>(
        this.#storage,
        `${modelKey(tenant, model)}/aliases/${name}`,
      );
      if (stored) return { revision: Number.parseInt(name, 10), aliases: new Map(stored.aliases) };
    }
    return { revision: 0, aliases: new Map() };
  }

  /**
   * Point an alias at a version, or remove it (`version: null`), by compare-and-swap.
   * @param expected the version the caller believes it points at (null: none); undefined: whatever it is
   * @throws AppError `alias_conflict`, `alias_not_found`, `version_not_found`, `model_not_found`
   */
  async setAlias(options: {
    tenant: string;
    model: string;
    alias: string;
    version: number | null;
    expected?: number | null;
  }): Promise<{ previous: number | null }> {
    const { tenant, model, alias, version, expected } = options;
    if (version !== null) await this.resolve(tenant, model, { version });
    for (;;) {
      const { revision, aliases } = await this.aliases(tenant, model);
      // One that points at a version that was deleted meanwhile can be removed all the same.
      if (version === null && !aliases.has(alias)) await this.resolve(tenant, model, { alias });
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
      const folder = `${modelKey(tenant, model)}/aliases`;
      if (!(await this.#writeAliases(tenant, model, revision + 1, aliases))) continue; // somebody else was faster
      if (version !== null && (await this.#isDeleted(tenant, model, version))) {
        await this.#takeBack({ tenant, model, alias, version, previous });
        throw new AppError('version_not_found', `Version ${version} of '${model}' was deleted in this moment.`, {
          details: { model, version },
        });
      }
      await this.#forgetRevisions(folder);
      return { previous };
    }
  }

  /** Undo an alias whose version was deleted in the same moment, unless somebody has moved it since. */
  async #takeBack(options: { tenant: string; model: string; alias: string; version: number; previous: number | null }) {
    const { tenant, model, alias, version, previous } = options;
    for (;;) {
      const { revision, aliases } = await this.aliases(tenant, model);
      if (aliases.get(alias) !== version) return;
      if (previous === null || (await this.#isDeleted(tenant, model, previous))) aliases.delete(alias);
      else aliases.set(alias, previous);
      if (await this.#writeAliases(tenant, model, revision + 1, aliases)) return;
    }
  }

  /** @returns whether nobody else has written this revision */
  async #writeAliases(tenant: string, model: string, revision: number, aliases: Map<string, number>): Promise<boolean> {
    const key = `${modelKey(tenant, model)}/aliases/${String(revision).padStart(9, '0')}.json`;
    return (await writeJson(this.#storage, key, { aliases: [...aliases] }, { ifAbsent: true })).created;
  }

  async #refuseInUse(tenant: string, model: string, version: number): Promise<void> {
    const { aliases } = await this.aliases(tenant, model);
    const users = [...aliases].filter(([, target]) => target === version).map(([alias]) => alias);
    if (users.length === 0) return;
    throw new AppError(
      'version_in_use',
      `Version ${version} of '${model}' is what ${users.map((alias) => `'${alias}'`).join(' and ')} points at. Move or delete the alias first.`,
      { details: { model, version, aliases: users } },
    );
  }

  async #isDeleted(tenant: string, model: string, version: number): Promise<boolean> {
    return (await this.#storage.head(`${versionKey(tenant, model, version)}/deleted.json`)) !== undefined;
  }

  /**
   * Take a version away; claim and mark stay, so that its number is not used again. In this order: whoever publishes looks
   * for the mark after writing the manifest.
   */
  async #retire(tenant: string, model: string, version: number): Promise<void> {
    const folder = versionKey(tenant, model, version);
    await writeJson(this.#storage, `${folder}/deleted.json`, { at: new Date().toISOString() });
    await this.#storage.delete(`${folder}/manifest.json`);
    await this.#storage.delete(`${folder}/files`);
  }

  async #exists(tenant: string, model: string): Promise<boolean> {
    for (const version of await this.#numbers(tenant, model)) {
      if (await this.#storage.head(`${versionKey(tenant, model, version)}/manifest.json`)) return true;
    }
    return false;
  }

  async #forgetRevisions(folder: string): Promise<void> {
    for (const name of (await this.#storage.list(folder)).slice(0, -OLD_REVISIONS)) {
      const found = await this.#storage.head(`${folder}/${name}`);
      if (found && Date.now() - found.modifiedAt.getTime() < YOUNG_MS) return; // those after it are younger
      await this.#storage.delete(`${folder}/${name}`);
    }
  }

  /** Asks for the numbers and, at the same time, for the version that was the newest last time: mostly it still is. */
  async #latest(tenant: string, model: string): Promise<VersionManifest> {
    const key = modelKey(tenant, model);
    const last = this.#newest.get(key);
    const [numbers, expected] = await Promise.all([
      this.#numbers(tenant, model),
      last === undefined ? undefined : this.#manifest(tenant, model, last),
    ]);
    for (const version of numbers) {
      const manifest = version === last ? expected : await this.#manifest(tenant, model, version);
      if (!manifest) continue;
      this.#newest.set(key, version);
      return manifest;
    }
    throw modelNotFound(model);
  }

  /** Numbers ever taken, highest first. */
  async #numbers(tenant: string, model: string): Promise<number[]> {
    const names = await this.#storage.list(`${modelKey(tenant, model)}/versions`);
    return names.map(Number).sort((a, b) => b - a);
  }

  /**
   * From memory where the stored one is still that: storage is asked on every call, so that what was deleted, or deleted
   * and made anew by another server, is never answered; but an unchanged manifest is neither read nor parsed again.
   */
  async #manifest(tenant: string, model: string, version: number): Promise<VersionManifest | undefined> {
    const key = `${versionKey(tenant, model, version)}/manifest.json`;
    const stored = await this.#storage.head(key);
    const known = this.#manifests.get(key);
    if (stored && known?.etag === stored.etag) return known.manifest;
    this.#manifests.delete(key);
    const manifest = stored && (await readJson<VersionManifest>(this.#storage, key));
    // Read after the etag: if it was written anew in between, the etag is too old, and the next call reads again.
    if (manifest) this.#manifests.set(key, { etag: stored.etag, manifest: Object.freeze(manifest) });
    return manifest;
  }

  /** The number of a job's version: the one it has, or the next free one. */
  async #claim(tenant: string, model: string, job: string): Promise<number> {
    const key = claimKey(tenant, job);
    const known = await readJson<Claimed>(this.#storage, key);
    if (known) {
      if (known.version === null) throw noVersion({ job, model });
      // Deleting the model takes the claim with it; then the number may be another job's by now.
      const claim = `${versionKey(tenant, model, known.version)}/claim.json`;
      await writeJson(this.#storage, claim, { job }, { ifAbsent: true });
      if ((await readJson<{ job: string }>(this.#storage, claim))?.job === job) return known.version;
      await this.#storage.delete(key);
    }
    for (let version = ((await this.#numbers(tenant, model))[0] ?? 0) + 1; ; version += 1) {
      const claim = `${versionKey(tenant, model, version)}/claim.json`;
      if (!(await writeJson(this.#storage, claim, { job }, { ifAbsent: true })).created) continue;
      if ((await writeJson(this.#storage, key, { version }, { ifAbsent: true })).created) return version;
      // Another attempt of this job was faster: its number holds, this one goes back.
      await this.#storage.delete(versionKey(tenant, model, version));
      const { version: held } = (await readJson<Claimed>(this.#storage, key))!;
      if (held === null) throw noVersion({ job, model });
      return held;
    }
  }
}

function modelKey(tenant: string, model: string): string {
  return `tenants/${tenant}/models/${model}`;
}

function versionKey(tenant: string, model: string, version: number): string {
  return `${modelKey(tenant, model)}/versions/${version}`;
}

function claimKey(tenant: string, job: string): string {
  return `tenants/${tenant}/jobs/${job}/version.json`;
}

function noVersion({ job, model }: { job: string; model: string }): AppError {
  return new AppError('version_not_found', `Job '${job}' has ended without a version of '${model}'.`, {
    details: { job, model },
  });
}

function modelNotFound(model: string): AppError {
  return new AppError('model_not_found', `There is no model '${model}'. A model appears when its first job succeeds.`, {
    details: { model },
  });
}

function damaged(manifest: VersionManifest, path: string): AppError {
  return new AppError(
    'version_damaged',
    `${path} of version ${manifest.version} of '${manifest.model}' is missing or damaged. Restore it from a backup or train again.`,
    { details: { model: manifest.model, version: manifest.version, path } },
  );
}
