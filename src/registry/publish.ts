/** Publishing is idempotent: two workers that run one job, or one that runs it again after a crash, end with one version. */
import { createHash } from 'node:crypto';
import { AppError } from '../errors.js';
import type { VersionManifest } from '../schemas/versions.js';
import { readJson, type Storage, writeJson } from '../storage/contract.js';
import { fileKey, manifestKey, numberOfJobKey, numbersKey, versionKey } from './keys.js';
import { isDeleted, removeVersion, retireVersion } from './retire-version.js';

export interface Publication {
  tenant: string;
  job: string;
  model: string;
  /** The manifest, but for what publishing decides. */
  manifest: Omit<VersionManifest, 'version' | 'files' | 'created_at'>;
  files: Map<string, Uint8Array | string>;
}

/** The number that a job's version has, or that it gets none. */
interface Claimed {
  version: number | null;
}

/**
 * Publish the version of a job; the same one, however often it is called.
 * @returns the manifest that holds, which may be another attempt's
 * @throws AppError `version_not_found` when it was published before, and deleted
 */
export async function publish(storage: Storage, publication: Publication): Promise<VersionManifest> {
  const { tenant, job, model } = publication;
  const version = await claim(storage, tenant, model, job);
  const key = manifestKey(tenant, model, version);
  const published = await readJson<VersionManifest>(storage, key);
  if (published) return published;
  if (await isDeleted(storage, tenant, model, version)) {
    throw new AppError('version_not_found', `Version ${version} of '${model}', which this job made, was deleted.`, {
      details: { model, version },
    });
  }
  const files: VersionManifest['files'] = [];
  for (const [path, content] of publication.files) {
    const bytes = Buffer.from(content as Uint8Array);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    await storage.put(fileKey(tenant, model, version, sha256), bytes, { ifAbsent: true });
    files.push({ path, bytes: bytes.length, sha256 });
  }
  const created_at = new Date().toISOString();
  const manifest: VersionManifest = { ...publication.manifest, version, created_at, files };
  const { created } = await writeJson(storage, key, manifest, { ifAbsent: true });
  // The job may have ended without this version while a late attempt was here; see `settle`.
  if (await isDeleted(storage, tenant, model, version)) {
    await removeVersion(storage, tenant, model, version);
    throw noVersion(publication);
  }
  return created ? manifest : (await readJson<VersionManifest>(storage, key))!;
}

/** The number of a job's version, if it has claimed one. */
export async function numberOfJob(storage: Storage, tenant: string, job: string): Promise<number | undefined> {
  return (await readJson<Claimed>(storage, numberOfJobKey(tenant, job)))?.version ?? undefined;
}

/**
 * Take away what the attempts of a job that has ended left behind, and keep late ones from publishing.
 * A version that counts keeps what its manifest names; of any other nothing stays but its number.
 */
export async function settle(
  storage: Storage,
  options: { tenant: string; model: string; job: string; succeeded: boolean },
): Promise<void> {
  const { tenant, model, job, succeeded } = options;
  const key = numberOfJobKey(tenant, job);
  if (!succeeded && (await writeJson(storage, key, { version: null }, { ifAbsent: true })).created) return;
  const version = await numberOfJob(storage, tenant, job);
  if (version === undefined) return;
  const folder = versionKey(tenant, model, version);
  if ((await readJson<{ job: string }>(storage, `${folder}/claim.json`))?.job !== job) return;
  if (!succeeded) return retireVersion(storage, tenant, model, version);
  const manifest = await readJson<VersionManifest>(storage, manifestKey(tenant, model, version));
  if (!manifest) return;
  const named = new Set(manifest.files.map(({ sha256 }) => sha256));
  for (const file of await storage.list(`${folder}/files`)) {
    if (!named.has(file)) await storage.delete(`${folder}/files/${file}`);
  }
}

/** The number of a job's version: the one it has, or the next free one. */
async function claim(storage: Storage, tenant: string, model: string, job: string): Promise<number> {
  const key = numberOfJobKey(tenant, job);
  const known = await readJson<Claimed>(storage, key);
  if (known) {
    if (known.version === null) throw noVersion({ job, model });
    // A folder that was restored from a backup may lack the claim; then the number may be another job's by now.
    const claimKey = `${versionKey(tenant, model, known.version)}/claim.json`;
    await writeJson(storage, claimKey, { job }, { ifAbsent: true });
    if ((await readJson<{ job: string }>(storage, claimKey))?.job === job) return known.version;
    await storage.delete(key);
  }
  const taken = (await storage.list(numbersKey(tenant, model))).map(Number);
  for (let version = Math.max(0, ...taken) + 1; ; version += 1) {
    const folder = versionKey(tenant, model, version);
    if (!(await writeJson(storage, `${folder}/claim.json`, { job }, { ifAbsent: true })).created) continue;
    if ((await writeJson(storage, key, { version }, { ifAbsent: true })).created) return version;
    // Another attempt of this job was faster: its number holds, this one goes back.
    await storage.delete(folder);
    const { version: held } = (await readJson<Claimed>(storage, key))!;
    if (held === null) throw noVersion({ job, model });
    return held;
  }
}

function noVersion({ job, model }: { job: string; model: string }): AppError {
  return new AppError('version_not_found', `Job '${job}' has ended without a version of '${model}'.`, {
    details: { job, model },
  });
}
