import { createHash } from 'node:crypto';
import { buffer, json } from 'node:stream/consumers';
import { LRUCache } from 'lru-cache';
import { AppError } from '../errors.js';
import type { ModelSummary, VersionManifest } from '../schemas/versions.js';
import type { ByteRange, Storage, StoredObject } from '../storage/contract.js';
import { firstOf } from '../storage/first-of.js';
import { fileKey, manifestKey, modelKey, modelsKey, publishedKey } from './keys.js';

export interface Page<T> {
  data: T[];
  has_more: boolean;
}

/** Models of a list, by name. */
export interface ModelsQuery {
  after?: string | undefined;
  limit: number;
  /** Only models of whose name this says yes. */
  keep?: ((name: string) => boolean) | undefined;
}

/** A manifest of ten classes takes about 2 KB. */
const MAX_MANIFESTS = 20_000;
const MAX_SIZES = 100_000;

/** Reading: which versions there are, their manifests and files. Manifests that were read stay in memory. */
export class Versions {
  readonly #storage: Storage;
  /** Of models that were asked for, the newest version then. */
  readonly #newest = new LRUCache<string, number>({ max: MAX_MANIFESTS });
  readonly #manifests = new LRUCache<string, { etag: string; manifest: VersionManifest }>({ max: MAX_MANIFESTS });

  /** What the files of a version take, by the key of its manifest. */
  readonly #bytes = new LRUCache<string, number>({ max: MAX_SIZES });

  constructor(options: { storage: Storage }) {
    this.#storage = options.storage;
  }

  /** Numbers of a model's versions, newest first; empty where there is no such model. */
  async numbers(tenant: string, model: string): Promise<number[]> {
    const names = await this.#storage.list(publishedKey(tenant, model));
    return names.map((name) => Number.parseInt(name, 10)).sort((a, b) => b - a);
  }

  /**
   * The manifest of a version, if it is there. Storage is asked on every call, so that what was deleted, or deleted and made
   * anew by another server, is never answered; but an unchanged manifest is neither read nor parsed again.
   */
  async find(tenant: string, model: string, version: number): Promise<VersionManifest | undefined> {
    const key = manifestKey(tenant, model, version);
    const known = this.#manifests.get(key);
    if (known && (await this.#storage.head(key))?.etag === known.etag) return known.manifest;
    this.#manifests.delete(key);
    const stored = await this.#storage.get(key);
    if (!stored) return undefined;
    const manifest = Object.freeze((await json(stored.stream)) as VersionManifest);
    this.#manifests.set(key, { etag: stored.etag, manifest });
    return manifest;
  }

  /** What all versions of a tenant take on disk. Each manifest is read once. */
  async storedBytes(tenant: string): Promise<number> {
    let sum = 0;
    for (const model of await this.#storage.list(modelsKey(tenant))) {
      for (const version of await this.numbers(tenant, model)) {
        const key = manifestKey(tenant, model, version);
        const files = this.#bytes.has(key) ? undefined : (await this.find(tenant, model, version))?.files;
        if (files)
          this.#bytes.set(
            key,
            files.reduce((total, { bytes }) => total + bytes, 0),
          );
        sum += this.#bytes.get(key) ?? 0;
      }
    }
    return sum;
  }

  /** @throws AppError `model_not_found` or `version_not_found` */
  async get(tenant: string, model: string, version: number): Promise<VersionManifest> {
    const manifest = await this.find(tenant, model, version);
    if (manifest) return manifest;
    const [latest] = await this.numbers(tenant, model);
    if (latest === undefined) throw modelNotFound(model);
    throw new AppError('version_not_found', `Model '${model}' has no version ${version}. Its newest is ${latest}.`, {
      details: { model, version, latest },
    });
  }

  /**
   * Asks for the numbers and, at the same time, for the version that was the newest last time: mostly it still is.
   * @throws AppError `model_not_found`
   */
  async latest(tenant: string, model: string): Promise<VersionManifest> {
    const key = modelKey(tenant, model);
    const last = this.#newest.get(key);
    const [numbers, expected] = await Promise.all([
      this.numbers(tenant, model),
      last === undefined ? undefined : this.find(tenant, model, last),
    ]);
    for (const version of numbers) {
      const manifest = version === last ? expected : await this.find(tenant, model, version);
      if (!manifest) continue;
      this.#newest.set(key, version);
      return manifest;
    }
    throw modelNotFound(model);
  }

  /** From memory alone: the newest version when it was last asked for, or the version of a number. */
  remembered(tenant: string, model: string, version: number | 'latest'): VersionManifest | undefined {
    const number = version === 'latest' ? this.#newest.get(modelKey(tenant, model)) : version;
    return number === undefined ? undefined : this.#manifests.get(manifestKey(tenant, model, number))?.manifest;
  }

  /** Models by name, of those that have a version; after the name `after`. One listing a model, beside what is read once. */
  async models(tenant: string, { after = '', limit, keep }: ModelsQuery): Promise<Page<ModelSummary>> {
    const names = (await this.#storage.list(modelsKey(tenant), { after })).filter(keep ?? (() => true));
    const found = await firstOf(names, limit + 1, (name) => this.#summary(tenant, name));
    return { data: found.slice(0, limit), has_more: found.length > limit };
  }

  /** How many models there are, counted no further than `most`. */
  async countModels(tenant: string, most: number): Promise<number> {
    const names = await this.#storage.list(modelsKey(tenant));
    // Folders of deleted models stay, so that there may be fewer models than names.
    if (names.length < most) return names.length;
    const exists = async (name: string) => (await this.numbers(tenant, name)).length > 0 || undefined;
    return (await firstOf(names, most, exists)).length;
  }

  /** Versions, newest first; older than `before`. One call a version. @throws AppError `model_not_found` */
  async page(
    tenant: string,
    model: string,
    { before = Number.POSITIVE_INFINITY, limit }: { before?: number | undefined; limit: number },
  ): Promise<Page<VersionManifest>> {
    const numbers = await this.numbers(tenant, model);
    if (numbers.length === 0) throw modelNotFound(model);
    const older = numbers.filter((version) => version < before);
    const found = await Promise.all(older.slice(0, limit).map((version) => this.find(tenant, model, version)));
    return { data: found.filter((manifest) => manifest !== undefined), has_more: older.length > limit };
  }

  /** @throws AppError `version_damaged` if the manifest names a file that is not there */
  async open(tenant: string, manifest: VersionManifest, path: string, range?: ByteRange): Promise<StoredObject> {
    const file = manifest.files.find((other) => other.path === path);
    const object =
      file && (await this.#storage.get(fileKey(tenant, manifest.model, manifest.version, file.sha256), range));
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

  async #summary(tenant: string, name: string): Promise<ModelSummary | undefined> {
    const versions = await this.numbers(tenant, name);
    for (const version of versions) {
      // It is listed, and its number is never used again: what is remembered of it holds.
      const latest = this.remembered(tenant, name, version) ?? (await this.find(tenant, name, version));
      if (latest) return { name, latest, versions };
    }
    return undefined;
  }
}

export function modelNotFound(model: string): AppError {
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
