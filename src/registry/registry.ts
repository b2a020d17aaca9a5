import { AppError } from '../errors.js';
import type { ModelSummary, VersionManifest } from '../schemas/versions.js';
import type { ByteRange, Storage, StoredObject } from '../storage/contract.js';
import {
  type Aliases,
  aliasNotFound,
  clearAliases,
  readAliases,
  refuseInUse,
  type SetAlias,
  setAlias,
} from './aliases.js';
import { numberOfJob, type Publication, publish, settle } from './publish.js';
import { isDeleted, markDeleted, removeVersion, retireVersion, unmarkDeleted } from './retire-version.js';
import { type ModelsQuery, type Page, Versions } from './versions.js';

export type { Aliases, Page, Publication, SetAlias };

/** A version as a client names it. */
export type VersionReference = { version: number } | { alias: string } | 'latest';

/** The models of all tenants: what other rooms see of versions, aliases and publishing. */
export class Registry {
  readonly #storage: Storage;
  readonly #versions: Versions;

  constructor({ storage }: { storage: Storage }) {
    this.#storage = storage;
    this.#versions = new Versions({ storage });
  }

  /** Publish the version of a job; the same one, however often it is called. @throws AppError `version_not_found` */
  publish(publication: Publication): Promise<VersionManifest> {
    return publish(this.#storage, publication);
  }

  /** The version that a job published, if it did. */
  async publishedBy(tenant: string, model: string, job: string): Promise<VersionManifest | undefined> {
    const version = await numberOfJob(this.#storage, tenant, job);
    const manifest = version && (await this.#versions.find(tenant, model, version));
    return manifest && manifest.job === job ? manifest : undefined;
  }

  /** Take away what the attempts of a job that has ended left behind, and keep late ones from publishing. */
  settle(options: { tenant: string; model: string; job: string; succeeded: boolean }): Promise<void> {
    return settle(this.#storage, options);
  }

  /** Models by name, of those that have a version; after the name `after`. One call a model, beside what is read once. */
  models(tenant: string, options: ModelsQuery): Promise<Page<ModelSummary>> {
    return this.#versions.models(tenant, options);
  }

  /** @throws AppError `quota_exceeded` where `model` would be one more than `most` */
  async refuseMoreThan(most: number, tenant: string, model: string): Promise<void> {
    if ((await this.#versions.countModels(tenant, most)) < most) return;
    if ((await this.versions(tenant, model)).length > 0) return;
    throw new AppError('quota_exceeded', `There are ${most} models already, the most (MAX_MODELS). Delete some.`, {
      details: { most },
    });
  }

  /** What the versions of a tenant take on disk. Each manifest is read once. */
  storedBytes(tenant: string): Promise<number> {
    return this.#versions.storedBytes(tenant);
  }

  /** Numbers of a model's versions, newest first; empty where there is no such model. One call. */
  versions(tenant: string, model: string): Promise<number[]> {
    return this.#versions.numbers(tenant, model);
  }

  /** Versions, newest first, those before the number `before`. One call a version. @throws AppError `model_not_found` */
  listVersions(
    tenant: string,
    model: string,
    options: { before?: number | undefined; limit: number },
  ): Promise<Page<VersionManifest>> {
    return this.#versions.page(tenant, model, options);
  }

  /** @throws AppError `model_not_found`, `version_not_found` or `alias_not_found` */
  async resolve(tenant: string, model: string, reference: VersionReference): Promise<VersionManifest> {
    if (reference === 'latest') return this.#versions.latest(tenant, model);
    if ('version' in reference) return this.#versions.get(tenant, model, reference.version);
    const { aliases } = await this.aliases(tenant, model);
    const version = aliases.get(reference.alias);
    if (version !== undefined) return this.#versions.get(tenant, model, version);
    await this.#versions.latest(tenant, model);
    throw aliasNotFound(model, reference.alias, aliases);
  }

  /**
   * What a reference named when it was last resolved, told from memory alone; undefined where nothing is known of it. What
   * it names now only `resolve` tells, with the same object where nothing has changed: work may begin on this meanwhile.
   */
  lastKnown(tenant: string, model: string, reference: VersionReference): VersionManifest | undefined {
    if (reference === 'latest') return this.#versions.remembered(tenant, model, reference);
    return 'version' in reference ? this.#versions.remembered(tenant, model, reference.version) : undefined;
  }

  /** @throws AppError `version_damaged` if the manifest names a file that is not there */
  open(tenant: string, manifest: VersionManifest, path: string, range?: ByteRange): Promise<StoredObject> {
    return this.#versions.open(tenant, manifest, path, range);
  }

  /** A whole file, checked against its digest. @throws AppError `version_damaged` */
  read(tenant: string, manifest: VersionManifest, path: string): Promise<Buffer> {
    return this.#versions.read(tenant, manifest, path);
  }

  /**
   * Delete a version; one whose deletion was broken off is deleted to the end. The mark is written before aliases are looked
   * at for the last time, and `setAlias` looks for the mark after it has written: of the two at least one sees the other, so
   * that no alias is left without its version.
   * @throws AppError `version_not_found`, or `version_in_use` when an alias points at it
   */
  async deleteVersion(tenant: string, model: string, version: number): Promise<void> {
    const storage = this.#storage;
    const manifest = await this.#versions.find(tenant, model, version);
    if (!manifest && (await isDeleted(storage, tenant, model, version))) {
      await removeVersion(storage, tenant, model, version);
    }
    await this.resolve(tenant, model, { version });
    await refuseInUse(storage, tenant, model, version);
    await markDeleted(storage, tenant, model, version);
    try {
      await refuseInUse(storage, tenant, model, version);
    } catch (error) {
      await unmarkDeleted(storage, tenant, model, version);
      throw error;
    }
    await retireVersion(storage, tenant, model, version);
  }

  /**
   * Delete a model with all its versions and aliases. Its numbers are not used again: clients may have them in caches, where
   * files of a version are kept for a year.
   * @throws AppError `model_not_found`
   */
  async deleteModel(tenant: string, model: string, by: string): Promise<void> {
    await this.resolve(tenant, model, 'latest');
    await clearAliases(this.#storage, tenant, model, by);
    // The newest last: until then it is what is served.
    const oldestFirst = (await this.versions(tenant, model)).reverse();
    for (const version of oldestFirst) await retireVersion(this.#storage, tenant, model, version);
    await clearAliases(this.#storage, tenant, model, by); // one that was set meanwhile
  }

  /** The aliases that hold, and who wrote them. */
  aliases(tenant: string, model: string): Promise<Aliases> {
    return readAliases(this.#storage, tenant, model);
  }

  /**
   * Point an alias at a version, or remove it, by compare-and-swap.
   * @throws AppError `alias_conflict`, `alias_not_found`, `version_not_found`, `model_not_found`
   */
  setAlias(options: SetAlias): Promise<{ previous: number | null }> {
    return setAlias(this.#storage, this.#versions, options);
  }
}
