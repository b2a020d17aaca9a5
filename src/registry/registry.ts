/**
 * registry/ keeps models: numbered, immutable versions and the aliases that point at them.
 *
 *   models/<name>/versions/<n>/claim.json      which job has the number n; `ifAbsent`, so a number has one owner
 *   models/<name>/versions/<n>/files/<sha256>  the version's files, named by content
 *   models/<name>/versions/<n>/manifest.json   written last: the version exists exactly when this does
 *   models/<name>/versions/<n>/deleted.json    a number is never used twice
 *   models/<name>/aliases/<revision>.json      all aliases at that revision; the highest revision holds
 *   jobs/<id>/version.json                     which number the job's version has; `ifAbsent`, so a job has one version
 *
 * Publishing is idempotent: two workers that run one job, or one that runs it again after a crash, end with one version.
 */
import { createHash } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { LRUCache } from 'lru-cache';
import { AppError } from '../errors.js';
import type { VersionManifest } from '../schemas.js';
import { type ByteRange, readJson, type Storage, type StoredObject, writeJson } from '../storage/contract.js';

/** A version as a client names it. */
export type VersionReference = { version: number } | { alias: string } | 'latest';

export interface Aliases {
  revision: number;
  aliases: Map<string, number>;
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
const MOST_MANIFESTS = 20_000;

export class Registry {
  readonly #storage: Storage;
  /** Of models that were asked for, the newest version then. */
  readonly #newest = new LRUCache<string, number>({ max: MOST_MANIFESTS });
  readonly #manifests = new LRUCache<string, { etag: string; manifest: VersionManifest }>({ max: MOST_MANIFESTS });

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
    if (await this.#storage.head(`${folder}/deleted.json`)) {
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
    return created ? manifest : (await readJson<VersionManifest>(this.#storage, `${folder}/manifest.json`))!;
  }

  /** The version that a job published, if it did. */
  async publishedBy(tenant: string, model: string, job: string): Promise<VersionManifest | undefined> {
    const claimed = await readJson<{ version: number }>(this.#storage, claimKey(tenant, job));
    const manifest = claimed && (await this.#manifest(tenant, model, claimed.version));
    return manifest?.job === job ? manifest : undefined;
  }

  /** Take away what a job that will not publish left behind. A published version stays. */
  async abandon(tenant: string, model: string, job: string): Promise<void> {
    const claimed = await readJson<{ version: number }>(this.#storage, claimKey(tenant, job));
    if (!claimed || (await this.#manifest(tenant, model, claimed.version))) return;
    const folder = versionKey(tenant, model, claimed.version);
    const owner = await readJson<{ job: string }>(this.#storage, `${folder}/claim.json`);
    if (owner?.job === job) await this.#storage.delete(`${folder}/files`);
  }

  /** Names of models that have a version, sorted. */
  async models(tenant: string): Promise<string[]> {
    const names = await this.#storage.list(`tenants/${tenant}/models`);
    const versions = await Promise.all(names.map((name) => this.versions(tenant, name)));
    return names.filter((_, index) => versions[index]!.length > 0);
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

  /** @throws AppError `version_not_found`, or `version_in_use` when an alias points at it */
  async deleteVersion(tenant: string, model: string, version: number): Promise<void> {
    await this.resolve(tenant, model, { version });
    const { aliases } = await this.aliases(tenant, model);
    const users = [...aliases].filter(([, target]) => target === version).map(([alias]) => alias);
    if (users.length > 0) {
      throw new AppError(
        'version_in_use',
        `Version ${version} of '${model}' is what ${users.map((alias) => `'${alias}'`).join(' and ')} points at. Move or delete the alias first.`,
        { details: { model, version, aliases: users } },
      );
    }
    const folder = versionKey(tenant, model, version);
    await writeJson(this.#storage, `${folder}/deleted.json`, { at: new Date().toISOString() });
    await this.#storage.delete(`${folder}/manifest.json`);
    await this.#storage.delete(`${folder}/files`);
  }

  /** Delete a model with all its versions and aliases. @throws AppError `model_not_found` */
  async deleteModel(tenant: string, model: string): Promise<void> {
    await this.resolve(tenant, model, 'latest');
    await this.#storage.delete(modelKey(tenant, model));
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
      const next = String(revision + 1).padStart(9, '0');
      const { created } = await writeJson(
        this.#storage,
        `${folder}/${next}.json`,
        { aliases: [...aliases] },
        { ifAbsent: true },
      );
      if (!created) continue; // somebody else was faster: look again
      await this.#forgetRevisions(folder);
      return { previous };
    }
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
    const known = await readJson<{ version: number }>(this.#storage, key);
    if (known) {
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
      return (await readJson<{ version: number }>(this.#storage, key))!.version;
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
